"""Logs that a sink of Cloud Logging exported to a bucket of Cloud Storage (JSON API v1).

https://cloud.google.com/storage/docs/json_api/v1/objects/list
"""

from urllib.parse import quote

from pydantic import BaseModel, Field, SecretStr, TypeAdapter

from dogwatch.model.text import one_line
from dogwatch.wire.connector import Connector, ConnectorSettings
from dogwatch.wire.google import google_login
from dogwatch.wire.http import Doors, Http, Pace

SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
PACE = Pace(per_second=50.0, concurrency=8, timeout=60.0)


class GcsSettings(ConnectorSettings):
    """How to read one bucket of exported logs."""

    bucket: str = Field(min_length=1)
    """The bucket's name."""
    prefix: str = ""
    """Only objects whose names begin so, such as run.googleapis.com/stderr/; empty: all."""
    service_account_key: SecretStr | None = None
    """The JSON key of a service account with the role Storage Object Viewer on the bucket, on one line.
    Needs the extra google."""
    access_token: SecretStr | None = None
    """Instead: an access token that something else renews, such as gcloud auth print-access-token."""
    url: str = "https://storage.googleapis.com"
    """Where the API answers; an emulator's address asks for no credentials."""


class _Object(BaseModel):
    name: str


class _Page(BaseModel):
    items: list[_Object] = []


_PAGE = TypeAdapter(_Page)


class Gcs(Connector[GcsSettings]):
    """Reads exported log objects of one bucket."""

    Settings = GcsSettings
    title = "Cloud Storage logs"

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
        path = f"b/{quote(self.settings.bucket, safe='')}/o"
        page = (await self._http.get(path, {"prefix": self.settings.prefix, "maxResults": 1})).parse(_PAGE)
        found = "objects readable" if page.items else "no object yet"
        return f"Cloud Storage · bucket {one_line(self.settings.bucket, 80)} · {found}"
