"""An OpenLineage server, such as Marquez: takes RunEvents one by one by POST (schema 2-0-2).

It tells events apart by run, type and time, so an event that is sent again changes nothing.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, SecretStr

from dogwatch.errors import ConnectorError, SettingsError
from dogwatch.model.described import Described
from dogwatch.wire.http import Doors, Pace
from dogwatch.wire.login import FixedToken

PATH = "api/v1/lineage"
PACE = Pace(per_second=200.0, concurrency=8, tries=1, timeout=5.0, patience=5.0, longest_wait=5.0)
"""The feed tries again; nothing an attempt does may outlast its claim."""
_REFUSED = frozenset({400, 413, 422})
"""Answers that speak of one event alone."""


class OpenLineageSettings(Described):
    """A server that hears of every run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(min_length=1)
    """Where events are posted to. If it has no path of its own, /api/v1/lineage is added."""
    namespace: str = Field(default="dogwatch", min_length=1)
    """What the namespaces of jobs begin with; the connector's name follows."""
    token: SecretStr | None = None
    """Sent as a bearer token, if the server wants one."""


class OpenLineage:
    """The server."""

    def __init__(self, settings: OpenLineageSettings, doors: Doors) -> None:
        """Opens nothing yet. Raises SettingsError for a URL that cannot work."""
        parts = urlsplit(settings.url.strip())
        if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
            raise SettingsError(
                "openlineage.url is not a usable URL", "write it as https://host, without credentials"
            )
        path = parts.path.strip("/") or PATH
        self._path = f"{path}?{parts.query}" if parts.query else path
        self.place = f"{parts.scheme}://{parts.netloc}/{path}"
        """Where it is, for people and as the outbox knows it."""
        login = None if settings.token is None else FixedToken(settings.token, doors.secrets)
        self._http = doors.open(f"{parts.scheme}://{parts.netloc}", login=login, pace=PACE)

    async def tell(self, event: Mapping[str, Any]) -> str:
        """Post one event; returns why it was refused, or nothing if it was taken.

        Raises ConnectorError if no event can be told now.
        """
        try:
            # as ASCII, because what platforms say may hold what is no UTF-8
            await self._http.send(self._path, json.dumps(event, allow_nan=False).encode("ascii"))
        except ConnectorError as error:
            if error.status not in _REFUSED:
                raise
            return error.message
        return ""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()
