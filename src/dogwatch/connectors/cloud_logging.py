"""Google Cloud Logging through the Logging API v2 (``entries.list``): what components wrote minutes ago.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list
"""

from typing import Any

from pydantic import BaseModel, Field, SecretStr, TypeAdapter

from dogwatch.model import UtcTime
from dogwatch.model.text import one_line
from dogwatch.wire.connector import Connector, ConnectorSettings
from dogwatch.wire.google import google_login
from dogwatch.wire.http import Doors, Http, Pace

SCOPE = "https://www.googleapis.com/auth/logging.read"
PACE = Pace(per_second=1.0, concurrency=1, timeout=60.0)
"""entries.list may be called sixty times a minute in a project."""


class CloudLoggingSettings(ConnectorSettings):
    """How to read the logs of one Google Cloud project."""

    project: str = Field(min_length=1)
    """The project's id."""
    service_account_key: SecretStr | None = None
    """The JSON key of a service account with the role Logs Viewer, on one line (IAM & Admin > Service
    accounts > Keys > Add key). Needs the extra google."""
    access_token: SecretStr | None = None
    """Instead: an access token that something else renews, such as gcloud auth print-access-token."""
    url: str = "https://logging.googleapis.com"
    """Where the API answers; other than this behind a private endpoint only."""


class _Entry(BaseModel):
    logName: str  # noqa: N815  # the wire's spelling
    timestamp: UtcTime


class _Page(BaseModel):
    entries: list[_Entry] = []


_PAGE = TypeAdapter(_Page)


class CloudLogging(Connector[CloudLoggingSettings]):
    """Reads the log entries of one project."""

    Settings = CloudLoggingSettings
    title = "Cloud Logging"

    def __init__(self, name: str, settings: CloudLoggingSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        login = google_login(settings.service_account_key, settings.access_token, SCOPE, doors)
        self._http = doors.open(settings.url, login=login, pace=PACE)

    @property
    def http(self) -> Http:
        """The door to the Logging API."""
        return self._http

    async def check(self) -> str:
        """Whether entries can be read, and of when the newest is; or a ConnectorError."""
        page = (await self._http.ask("v2/entries:list", self._asked("", "timestamp desc", 1))).parse(_PAGE)
        newest = f"newest {page.entries[0].timestamp:%d %b %H:%M} UTC" if page.entries else "none in 24 hours"
        return f"Cloud Logging · project {one_line(self.settings.project, 60)} · entries readable, {newest}"

    def _asked(self, wanted: str, order: str, size: int) -> dict[str, Any]:
        return {
            "resourceNames": [f"projects/{self.settings.project}"],
            "filter": wanted,
            "orderBy": order,
            "pageSize": size,
        }
