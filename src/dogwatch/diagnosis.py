"""Whether one platform can be reached and read, and what to do if not."""

from typing import Literal

from dogwatch.errors import AuthError, ConnectorError, RateLimited, Unreachable
from dogwatch.model.report import Diagnosis
from dogwatch.store import Store, StoreThread
from dogwatch.wire.connector import AnyConnector
from dogwatch.wire.http import Doors

Fault = Literal["", "credentials", "permission", "rate_limited", "unreachable", "unexpected"]


async def diagnosis(connector: AnyConnector, store: Store, thread: StoreThread, doors: Doors) -> Diagnosis:
    """Ask the platform, once. Raises StoreError only."""
    kind = type(connector).__module__.rpartition(".")[2]
    source = await thread(store.source, connector.name, kind)
    started = doors.clock.now()
    line, hint, fault = "", "", _fault(None)
    try:
        line = await connector.check()
    except ConnectorError as error:
        line, hint, fault = doors.secrets.scrub(error.message), error.hint, _fault(error)
    skew = connector.http.skew
    return Diagnosis(
        instance=connector.name,
        platform=kind,
        title=connector.title,
        ok=not fault,
        line=line,
        hint=hint,
        fault=fault,
        read_until=source.read_until,
        skew_seconds=None if skew is None else round(skew.total_seconds(), 1),
        requests=connector.http.requests,
        seconds=round((doors.clock.now() - started).total_seconds(), 2),
    )


def _fault(error: ConnectorError | None) -> Fault:
    if error is None:
        return ""
    if isinstance(error, AuthError):
        return "permission" if error.permission else "credentials"
    if isinstance(error, RateLimited):
        return "rate_limited"
    return "unreachable" if isinstance(error, Unreachable) else "unexpected"
