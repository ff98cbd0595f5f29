"""Logs that a sink of Cloud Logging exported to a bucket of Cloud Storage (JSON API v1).

Objects come once an hour; what arrived late comes in objects of its own, hours later, under the name of the
hour it is of. So the last days are listed again in every round, and only what was not read is read.
https://cloud.google.com/storage/docs/json_api/v1/objects/list
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar
from urllib.parse import quote

from pydantic import BaseModel, Field, SecretStr, TypeAdapter, field_validator

from dogwatch.model import UtcTime
from dogwatch.model.text import one_line
from dogwatch.wire.bucket import AT_ONCE, backlog, unread_logs
from dogwatch.wire.connector import Connector, ConnectorSettings, LogAsk, LogPart
from dogwatch.wire.google import google_login
from dogwatch.wire.http import Answer, Doors, Http, Pace
from dogwatch.wire.unread import Backlog, Object, checked_layout, pieces

SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
PACE = Pace(per_second=50.0, concurrency=AT_ONCE, timeout=60.0)
_CLOUD_RUN = (
    "run.googleapis.com/stderr",
    "run.googleapis.com/stdout",
    "run.googleapis.com/requests",
    "run.googleapis.com/varlog/system",
)


class GcsSettings(ConnectorSettings):
    """How to read one bucket of exported logs."""

    bucket: str = Field(min_length=1)
    """The bucket's name."""
    logs: tuple[str, ...] = Field(default=_CLOUD_RUN, min_length=1)
    """The logs to read, by their ids. Left out: those of Cloud Run."""
    layout: str = "{log}/{yyyy}/{mm}/{dd}/"
    """How the names of a day's objects begin, in UTC; as a sink of Cloud Logging writes them if left out.
    For files that something else copies there, such as cloud-run/{yyyy}-{mm}-{dd}/."""
    service_account_key: SecretStr | None = None
    """The JSON key of a service account with the role Storage Object Viewer on the bucket, on one line.
    Needs the extra google."""
    access_token: SecretStr | None = Field(
        default=None, json_schema_extra={"environment": "CLOUDSDK_AUTH_ACCESS_TOKEN", "written": True}
    )
    """Instead: an access token that something else renews, such as gcloud auth print-access-token."""
    url: str = Field(
        default="https://storage.googleapis.com",
        json_schema_extra={"environment": "STORAGE_EMULATOR_HOST", "written": True},
    )
    """Where the API answers; an emulator's address asks for no credentials."""

    @field_validator("layout")
    @classmethod
    def _usable(cls, value: str) -> str:
        return checked_layout(value)


class _Object(BaseModel):
    name: str
    generation: str = ""
    size: int = 0
    updated: UtcTime | None = None


class _Page(BaseModel):
    items: list[_Object] = []
    nextPageToken: str = ""  # noqa: N815  # the wire's spelling


_PAGE = TypeAdapter(_Page)


class Gcs(Connector[GcsSettings]):
    """Reads exported log objects of one bucket."""

    Settings = GcsSettings
    title = "Cloud Storage logs"
    overlap: ClassVar[timedelta] = timedelta(minutes=90)
    """An hour's object is written some minutes after the hour."""

    def __init__(self, name: str, settings: GcsSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        login = google_login(settings.service_account_key, settings.access_token, SCOPE, doors)
        base = f"{settings.url.rstrip('/')}/storage/v1"
        self._http = doors.open(base, login=login, pace=PACE)

    @property
    def http(self) -> Http:
        """The door to Cloud Storage."""
        return self._http

    async def check(self) -> str:
        """Whether objects can be listed, or a ConnectorError."""
        page = (await self._http.get(self._objects, {"maxResults": 1})).parse(_PAGE)
        found = "objects readable" if page.items else "no object yet"
        return f"Cloud Storage · bucket {one_line(self.settings.bucket, 80)} · {found}"

    def logs(self, ask: LogAsk) -> AsyncIterator[LogPart]:
        """The objects of the last days that were not read yet, late ones included."""
        return unread_logs(self, ask, self._there(ask.now), self.settings.layout, self.settings.logs)

    async def backlog(self, ask: LogAsk) -> Backlog:
        """The names of the same, to be read in whatever order."""
        return await backlog(self, ask, self._there(ask.now), self.settings.layout, self.settings.logs)

    def _there(self, now: datetime) -> datetime:
        return now + (self._http.skew or timedelta(0))

    @property
    def _objects(self) -> str:
        return f"b/{quote(self.settings.bucket, safe='')}/o"

    async def find(self, prefix: str) -> Sequence[Object]:
        """All objects whose names begin so."""
        found: list[Object] = []
        where = {"prefix": prefix, "fields": "items(name,generation,size,updated),nextPageToken"}
        token, seen = "", {""}
        while True:
            answer = await self._http.get(self._objects, {**where, "pageToken": token} if token else where)
            page = answer.parse(_PAGE)
            found += [Object(one.name, one.generation, one.size, one.updated) for one in page.items]
            token = page.nextPageToken
            if not token:
                return found
            if token in seen:
                raise answer.unexpected("with a next page that was read before")
            seen.add(token)

    def read(self, one: Object) -> AsyncIterator[bytes]:
        """The content of an object, in pieces."""
        path = f"{self._objects}/{quote(one.name, safe='')}"
        version = {"generation": one.version} if one.version else {}

        async def get(part: str) -> Answer:
            headers = {"Range": part, "Accept-Encoding": "identity"}
            return await self._http.get(path, {"alt": "media", **version}, headers=headers)

        return pieces(one, get)
