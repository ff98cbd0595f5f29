"""Google Cloud Logging through the Logging API v2 (``entries.list``): what components wrote minutes ago.

Entries are asked for by the time at which Google received them, so that late ones come once as well, and in
windows that join without overlap. A window counts when all its pages were read.
https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, Field, SecretStr, TypeAdapter, ValidationError

from dogwatch.model import UtcTime
from dogwatch.model.text import one_line, span
from dogwatch.wire.connector import Connector, ConnectorSettings, LogAsk, LogPart
from dogwatch.wire.google import google_login
from dogwatch.wire.http import Doors, Http, Pace

SCOPE = "https://www.googleapis.com/auth/logging.read"
PACE = Pace(per_second=0.5, burst=29, concurrency=1, timeout=60.0)
"""entries.list may be called sixty times a minute in a project."""
_LARGEST_PAGE = 1000
_SETTLED = timedelta(seconds=30)
"""What was received so long ago is in every answer."""
_LATEST = timedelta(hours=3)
"""Entries that come later than this after their own time are not seen: without such a bound every question
would search all that is kept."""
_LOOK_BACK = timedelta(hours=24)
_WIDEST, _NARROWEST = timedelta(hours=6), timedelta(seconds=10)
_MOST_PAGES = 40
"""Of one window; a busier one is asked for in parts."""
_PAGES_A_ROUND = 240
"""Four minutes of the quota; the rest is read by the next rounds."""


class CloudLoggingSettings(ConnectorSettings):
    """How to read the logs of one Google Cloud project."""

    project: str = Field(min_length=1)
    """The project's id."""
    service_account_key: SecretStr | None = None
    """The JSON key of a service account with the role Logs Viewer, on one line (IAM & Admin > Service
    accounts > Keys > Add key). Needs the extra google."""
    access_token: SecretStr | None = None
    """Instead: an access token that something else renews, such as gcloud auth print-access-token."""
    filter: str = Field(default="", max_length=10_000)
    """Only entries that this lets through, in the Logging query language, such as
    resource.type="cloud_run_revision"; empty: all."""
    url: str = "https://logging.googleapis.com"
    """Where the API answers; other than this behind a private endpoint only."""


class _Entry(BaseModel):
    logName: str  # noqa: N815  # the wire's spelling
    timestamp: UtcTime


class _Page(BaseModel):
    entries: list[_Entry] = []


_PAGE = TypeAdapter(_Page)


class _Entries(BaseModel):
    entries: list[dict[str, Any]] = []
    nextPageToken: str = ""  # noqa: N815  # the wire's spelling


_ENTRIES = TypeAdapter(_Entries)


class _Cursor(BaseModel):
    received: UtcTime
    """Everything that was received before this was read."""
    width: float = _WIDEST.total_seconds()
    """Seconds of the last window."""


@dataclass(slots=True)
class _Budget:
    """Pages that may still be asked for."""

    pages: int


_CURSOR = TypeAdapter(_Cursor)


class CloudLogging(Connector[CloudLoggingSettings]):
    """Reads the log entries of one project."""

    Settings = CloudLoggingSettings
    title = "Cloud Logging"
    overlap: ClassVar[timedelta] = timedelta(minutes=2)

    def __init__(self, name: str, settings: CloudLoggingSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        login = google_login(settings.service_account_key, settings.access_token, SCOPE, doors)
        self._http = doors.open(settings.url, login=login, pace=PACE)
        self._behind: timedelta | None = None

    @property
    def http(self) -> Http:
        """The door to the Logging API."""
        return self._http

    async def check(self) -> str:
        """Whether entries can be read, and of when the newest is; or a ConnectorError."""
        page = (await self._http.ask("v2/entries:list", self._asked("", "timestamp desc", 1))).parse(_PAGE)
        newest = f"newest {page.entries[0].timestamp:%d %b %H:%M} UTC" if page.entries else "none in 24 hours"
        return f"Cloud Logging · project {one_line(self.settings.project, 60)} · entries readable, {newest}"

    async def caveats(self) -> Sequence[str]:
        """How far behind the reader is, if it is."""
        if self._behind is None:
            return ()
        told = (
            f"The log is read up to {span(self._behind.total_seconds())} ago: entries come faster than the "
            "quota of entries.list lets them be read. A filter leaves out what nobody needs."
        )
        return (told,)

    async def logs(self, ask: LogAsk) -> AsyncIterator[LogPart]:
        """What was received since the cursor, window by window, as one entry per line."""
        end = ask.now + (self._http.skew or timedelta(0)) - _SETTLED
        state = _cursor(ask.cursor, ask.since or end - _LOOK_BACK)
        budget = _Budget(_PAGES_A_ROUND)
        while state.received < end and budget.pages > 0:
            until = min(end, state.received + timedelta(seconds=state.width))
            name = f"received {state.received.isoformat()} to {until.isoformat()}"
            pages = 0
            async for data, whole in self._window(state.received, until, budget):
                pages += 1
                if whole:
                    width = (
                        min(state.width * 2, _WIDEST.total_seconds()) if pages < _MOST_PAGES // 4 else None
                    )
                    state = _Cursor(received=until, width=width or state.width)
                yield LogPart(name, data, state.model_dump_json if whole else None)
            if state.received < until:
                narrower = max(state.width / 4, _NARROWEST.total_seconds())
                if narrower == state.width or not budget.pages:
                    break
                state = _Cursor(received=state.received, width=narrower)
                yield LogPart("", b"", state.model_dump_json)
        self._behind = end - state.received if state.received < end else None

    async def _window(
        self, start: datetime, end: datetime, budget: _Budget
    ) -> AsyncIterator[tuple[bytes, bool]]:
        """The pages of what was received in [start, end), and with each whether it is the last. It ends
        without a last one where there are too many."""
        narrow = end - start <= _NARROWEST
        wanted = (
            f'receiveTimestamp>="{_stamp(start)}" AND receiveTimestamp<"{_stamp(end)}" '
            f'AND timestamp>="{_stamp(start - _LATEST)}"'
        )
        if self.settings.filter.strip():
            wanted += f" AND ({self.settings.filter})"
        body = self._asked(wanted, "timestamp asc", _LARGEST_PAGE)
        seen = {""}
        while budget.pages > 0 and (narrow or len(seen) <= _MOST_PAGES):
            budget.pages -= 1
            answer = await self._http.ask("v2/entries:list", body)
            page = answer.parse(_ENTRIES)
            yield _lines(page), not page.nextPageToken
            if not page.nextPageToken:
                return
            if page.nextPageToken in seen:
                raise answer.unexpected("with a next page that was read before")
            seen.add(page.nextPageToken)
            body = {**body, "pageToken": page.nextPageToken}

    def _asked(self, wanted: str, order: str, size: int) -> dict[str, Any]:
        return {
            "resourceNames": [f"projects/{self.settings.project}"],
            "filter": wanted,
            "orderBy": order,
            "pageSize": size,
        }


def _cursor(text: str, begin: datetime) -> _Cursor:
    """Where to go on; from the beginning if that makes no sense."""
    try:
        return _CURSOR.validate_json(text) if text else _Cursor(received=begin)
    except ValidationError:
        return _Cursor(received=begin)


def _lines(page: _Entries) -> bytes:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in page.entries).encode(
        "utf-8", "replace"
    )


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
