"""Where dogwatch remembers things, and how long it keeps them."""

import re
from datetime import timedelta
from typing import Annotated
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from pydantic import AfterValidator, ConfigDict, Field

from dogwatch.model.described import Described
from dogwatch.settings.watching import Duration

SCHEMES = ("postgresql", "postgres")
_SECRET = "password"  # noqa: S105  # the name of a parameter
_SHORTEST = timedelta(days=60)
"""For what is learned from: it holds two ends of a month."""


def _long(value: timedelta) -> timedelta:
    if value < _SHORTEST:
        raise ValueError(f"should be at least {_SHORTEST.days}d")
    return value


_Learned = Annotated[Duration, AfterValidator(_long)]


class KeepSettings(Described):
    """How long what is remembered stays. What an incident cites stays as long as the incident."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runs: _Learned = Field(default=timedelta(days=400), json_schema_extra={"default": "400d"})
    """Run attempts, at least 60d. The newest 30 of each job stay, those that are not over, and those of which
    an incident speaks."""
    jobs: _Learned = Field(default=timedelta(days=400), json_schema_extra={"default": "400d"})
    """Former versions of jobs, and jobs that are gone, at least 60d."""
    findings: Duration = Field(default=timedelta(days=90), json_schema_extra={"default": "90d"})
    """What was found and is over, and evidence that no incident and no action cites."""
    rounds: Duration = Field(default=timedelta(days=90), json_schema_extra={"default": "90d"})
    """What each round reported."""
    messages: Duration = Field(default=timedelta(days=400), json_schema_extra={"default": "400d"})
    """Messages that were sent or given up. The first of an incident stays with it: later ones answer it."""
    changes: Duration = Field(default=timedelta(days=400), json_schema_extra={"default": "400d"})
    """What was deployed, edited or renamed."""
    incidents: Duration | None = None
    """Incidents that are over, with all they rest on. Left out: for ever. The record of what was decided and
    done is never thrown away."""


class Keeping(Described):
    """What is said of keeping at the top of dogwatch.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep: KeepSettings = KeepSettings()
    """How long what is remembered stays."""


def is_address(store: str) -> bool:
    """Whether ``store`` means a server and not a file."""
    return re.match(r"[a-z+0-9]+://", store) is not None


def checked(store: str) -> str:
    """The value, if it is a path or an address that we know. Raises ValueError."""
    if not is_address(store):
        return store
    parts = _split(store)
    if parts.scheme not in SCHEMES or len(parts.path) < 2 or "/" in parts.path[1:]:
        raise ValueError("should be the path of a file, or postgresql://user@host/database")
    return store


def parted(store: str) -> tuple[str, str]:
    """The address without its password, and the password; empty if there is none in it."""
    if not is_address(store):
        return store, ""
    parts = _split(store)
    asked = parse_qsl(parts.query, keep_blank_values=True)
    password = unquote(parts.password or "") or next((value for key, value in asked if key == _SECRET), "")
    user, at, place = parts.netloc.rpartition("@")
    query = urlencode([(key, value) for key, value in asked if key != _SECRET])
    bare = parts._replace(netloc=f"{user.partition(':')[0]}{at}{place}", query=query)
    return urlunsplit(bare), password


def _split(store: str) -> SplitResult:
    try:
        parts = urlsplit(store)
        _ = parts.port
    except ValueError:  # its words would quote the address
        raise ValueError("is no address: write postgresql://user@host:5432/database") from None
    return parts
