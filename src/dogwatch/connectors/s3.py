"""Logs in a bucket of Amazon S3, or of anything else that speaks its API (REST, version 2006-03-01).

Whoever puts logs there (Firehose, load balancers, CloudTrail, a sidecar) writes objects that never change,
under names that hold the day. So the last days are listed in every round, and only what was not read is read.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote, unquote_plus, urlsplit
from xml.parsers import expat

from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from dogwatch.errors import AuthError, UnexpectedAnswer
from dogwatch.model import UtcTime
from dogwatch.model.text import one_line
from dogwatch.wire.answer import Answer
from dogwatch.wire.bucket import AT_ONCE, backlog, unread_logs
from dogwatch.wire.connector import Connector, ConnectorSettings, LogAsk, LogPart, News
from dogwatch.wire.http import Doors, Http, Pace
from dogwatch.wire.sigv4 import Keys, query_string, signed
from dogwatch.wire.sqs import Queue, told_of, usable_queue
from dogwatch.wire.unread import Backlog, Object, checked_layout, pieces

PACE = Pace(per_second=100.0, concurrency=AT_ONCE, timeout=60.0)
_ASLEEP = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""What is stored so has to be woken up before it can be read, which takes hours."""
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_MOST_TEXT = 4096
_REFUSED = tuple(
    f"<Code>{code}<".encode()
    for code in ("ExpiredToken", "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch")
)
"""The keys are wrong or over; a plain AccessDenied is a missing permission."""


class S3Settings(ConnectorSettings):
    """How to read one bucket of logs."""

    bucket: str = Field(min_length=1, pattern=r"^[A-Za-z0-9._-]+$")
    """The bucket's name."""
    region: str = Field(
        default="us-east-1",
        pattern=rf"^{_REGION.pattern}$",
        json_schema_extra={"environment": "AWS_REGION", "written": True},
    )
    """The region of the bucket, such as eu-central-1."""
    logs: tuple[str, ...] = Field(default=("",), min_length=1)
    """What {log} stands for in the layout, such as firehose/orders/; several logs are read one by one."""
    layout: str = "{log}{yyyy}/{mm}/{dd}/"
    """How the names of a day's objects begin, in UTC. For load balancers:
    AWSLogs/123456789012/elasticloadbalancing/eu-central-1/{yyyy}/{mm}/{dd}/."""
    access_key_id: SecretStr | None = Field(
        default=None, json_schema_extra={"environment": "AWS_ACCESS_KEY_ID", "written": True}
    )
    """Of a user who may s3:ListBucket on the bucket and s3:GetObject on what is in it, and nothing else."""
    secret_access_key: SecretStr | None = Field(
        default=None, json_schema_extra={"environment": "AWS_SECRET_ACCESS_KEY", "written": True}
    )
    """Shown once, beside the access key id. Leave out both where a bucket is open to everybody."""
    session_token: SecretStr | None = Field(
        default=None, json_schema_extra={"environment": "AWS_SESSION_TOKEN", "written": True}
    )
    """Of temporary keys: what came with them, and something else renews."""
    url: str = Field(default="", json_schema_extra={"environment": "AWS_ENDPOINT_URL_S3", "written": True})
    """Where the API answers, for MinIO, Ceph, R2 and other stores that speak it. Left out: Amazon."""
    queue: str = ""
    """The URL of an SQS queue to which the bucket's events go, by SNS or straight: new objects then start a
    round at once (dogwatch watch). Needs sqs:ReceiveMessage and sqs:DeleteMessage. Left out: none."""

    @field_validator("queue")
    @classmethod
    def _address(cls, value: str) -> str:
        return usable_queue(value) if value else ""

    @field_validator("layout")
    @classmethod
    def _usable(cls, value: str) -> str:
        return checked_layout(value)

    @model_validator(mode="after")
    def _whole(self) -> "S3Settings":
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together")
        if self.queue and self.access_key_id is None:
            raise ValueError("queue needs access_key_id and secret_access_key")
        return self


class _Listed(BaseModel):
    Key: str
    ETag: str = ""
    Size: int = Field(ge=0)
    LastModified: UtcTime | None = None
    StorageClass: str = ""


_LISTED = TypeAdapter(_Listed)


class S3(Connector[S3Settings]):
    """Reads log objects of one bucket."""

    Settings = S3Settings
    title = "S3 logs"
    overlap: ClassVar[timedelta] = timedelta(minutes=90)
    """Load balancers write every five minutes, CloudTrail within fifteen, other writers once an hour."""

    def __init__(self, name: str, settings: S3Settings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        self._keys = _keys(settings)
        for secret in (settings.secret_access_key, settings.session_token):
            if secret is not None:
                doors.secrets.add(secret.get_secret_value())
        self._base, self._path = _place(settings)
        self._http = doors.open(self._base, login=None, pace=PACE, ended=_keys_refused)
        self._host = urlsplit(self._base).netloc
        self._asleep = 0

    @property
    def http(self) -> Http:
        """The door to the bucket."""
        return self._http

    async def check(self) -> str:
        """Whether objects can be listed, or a ConnectorError."""
        found, _ = _page(await self._get("", {"list-type": "2", "max-keys": "1"}))
        told = "objects readable" if found else "no object yet"
        return f"S3 · bucket {one_line(self.settings.bucket, 80)} · {told}"

    async def caveats(self) -> Sequence[str]:
        """How many objects cannot be read without waking them."""
        if not self._asleep:
            return ()
        told = f"{self._asleep:,} objects of these days are archived (Glacier) and were not read."
        return (told,)

    def logs(self, ask: LogAsk) -> AsyncIterator[LogPart]:
        """The objects of the last days that were not read yet, late ones included."""
        self._asleep = 0
        return unread_logs(self, ask, self._there(ask.now), self.settings.layout, self.settings.logs)

    async def backlog(self, ask: LogAsk) -> Backlog:
        """The names of the same, to be read in whatever order."""
        self._asleep = 0
        return await backlog(self, ask, self._there(ask.now), self.settings.layout, self.settings.logs)

    def _there(self, now: datetime) -> datetime:
        return now + (self._http.skew or timedelta(0))

    async def find(self, prefix: str) -> Sequence[Object]:
        """All objects whose names begin so, but for those that sleep."""
        found: list[Object] = []
        where = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
        token, seen = "", {""}
        while True:
            answer = await self._get("", {**where, "continuation-token": token} if token else where)
            listed, token = _page(answer)
            self._asleep += sum(one.StorageClass in _ASLEEP for one in listed)
            found += [
                Object(unquote_plus(one.Key), one.ETag, one.Size, one.LastModified)
                for one in listed
                if one.StorageClass not in _ASLEEP
            ]
            if not token:
                return found
            if token in seen:
                raise answer.unexpected("with a next page that was read before")
            seen.add(token)

    def read(self, one: Object) -> AsyncIterator[bytes]:
        """The content of an object, in pieces."""
        same = {"If-Match": one.version} if one.version else {}

        async def get(part: str) -> Answer:
            return await self._get(one.name, {}, {"Range": part, "Accept-Encoding": "identity", **same})

        return pieces(one, get)

    async def news(self) -> Sequence[News]:
        """New objects of the bucket, or none after a while. Raises ConnectorError or SettingsError."""
        async with self._queue() as queue:
            return [
                told_of(note, self.settings.bucket) for note in await queue.receive(self.doors.clock.now())
            ]

    async def forget(self, news: Sequence[News]) -> None:
        """Let the queue forget them. Raises ConnectorError or SettingsError."""
        async with self._queue() as queue:
            await queue.delete([one.receipt for one in news], self.doors.clock.now())

    def _queue(self) -> Queue:
        assert self._keys is not None  # the settings see to it
        return Queue(self.settings.queue, self.settings.region, self._keys, self.doors)

    async def _get(
        self, key: str, params: Mapping[str, str], more: Mapping[str, str] | None = None
    ) -> Answer:
        path = f"{self._path}/{quote(key, safe='/-_.~')}"
        query = query_string(params)
        try:
            return await self._ask(path, query, more or {})
        except AuthError as error:
            if "RequestTimeTooSkewed" not in error.message:
                raise
        return await self._ask(path, query, more or {})  # its answer told what time it is there

    async def _ask(self, path: str, query: str, headers: Mapping[str, str]) -> Answer:
        if self._keys is not None:
            now = self.doors.clock.now() + (self._http.skew or timedelta(0))
            headers = signed(self._keys, self.settings.region, self._host, path, query, now, headers)
        url = f"{self._base}{path}" + (f"?{query}" if query else "")
        try:
            return await self._http.get(url, headers=headers)
        except UnexpectedAnswer as error:
            if error.status in {301, 307, 400}:
                raise UnexpectedAnswer(
                    error.message, "the bucket is in another region: set region", status=error.status
                ) from error
            raise


def _keys(settings: S3Settings) -> Keys | None:
    if settings.access_key_id is None or settings.secret_access_key is None:
        return None
    session = settings.session_token.get_secret_value().strip() if settings.session_token else ""
    return Keys(
        settings.access_key_id.get_secret_value().strip(),
        settings.secret_access_key.get_secret_value().strip(),
        session,
    )


def _place(settings: S3Settings) -> tuple[str, str]:
    """(scheme and host, the path of the bucket there): the bucket is part of the host at Amazon, unless its
    name has dots, which no certificate covers; elsewhere it is part of the path."""
    if settings.url:
        told = urlsplit(settings.url)
        return f"{told.scheme}://{told.netloc}", f"{told.path.rstrip('/')}/{settings.bucket}"
    host = f"s3.{settings.region}.amazonaws.com"
    if "." in settings.bucket:
        return f"https://{host}", f"/{settings.bucket}"
    return f"https://{settings.bucket}.{host}", ""


def _keys_refused(answer: Answer) -> bool:
    """S3 says by 400 or 403 what others say by 401."""
    return answer.status == 401 or (
        answer.status in {400, 403} and any(c in answer.content for c in _REFUSED)
    )


def _page(answer: Answer) -> tuple[list[_Listed], str]:
    """The objects of one page of a listing, and the token of the next; empty if it is the last."""
    found: list[_Listed] = []
    reader = _Listing()
    try:
        reader.read(answer.content)
        found = [_LISTED.validate_python(one) for one in reader.contents]
    except (expat.ExpatError, ValidationError, UnicodeError):
        reader.root = ""
    if reader.root != "ListBucketResult":  # out here, so that no cause quotes the body
        raise UnexpectedAnswer(
            f"{answer.request} answered no listing of a bucket",
            "check url and bucket: something else answered in the store's place",
            status=answer.status,
        )
    return found, reader.texts.get("NextContinuationToken", "")


class _Listing:
    """Reads the XML of a listing. A document type, which could make entities, is refused."""

    def __init__(self) -> None:
        self.root = ""
        self.texts: dict[str, str] = {}
        """What stands directly below the root."""
        self.contents: list[dict[str, str]] = []
        self._path: list[str] = []
        self._text: list[str] = []

    def read(self, body: bytes) -> None:
        """Raises ExpatError if it is no XML, or more than plain XML."""
        parser = expat.ParserCreate("UTF-8")  # whatever it declares
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = _refuse
        parser.Parse(body, True)

    def _start(self, name: str, attributes: Any) -> None:
        self._path.append(name)
        self._text.clear()
        if len(self._path) == 1:
            self.root = name
        elif self._path[1:] == ["Contents"]:
            self.contents.append({})

    def _end(self, name: str) -> None:
        text = "".join(self._text)[:_MOST_TEXT]
        if len(self._path) == 2:
            self.texts[name] = text
        elif len(self._path) == 3 and self._path[1] == "Contents":
            self.contents[-1][name] = text
        self._text.clear()
        self._path.pop()


def _refuse(*_: object) -> None:
    raise expat.ExpatError("a document type")
