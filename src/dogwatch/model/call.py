"""What reaches us from outside: calls of other systems, the alerts they bring, and who keeps the watch."""

from pydantic import Field

from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.signal import Alert


class PushedAlert(Noun):
    """An alert as another system told it; it fires until that system says otherwise."""

    key: str
    """The same alert of the same source always has the same one."""
    alert: Alert
    ends_at: UtcTime | None = None
    """When it was over; None while it fires."""


class Call(Noun):
    """One event that another system told us. It starts a round of just what it touches."""

    key: str
    """The same event always has the same one: what comes again is known."""
    hook: str
    """The name in dogwatch.yaml by which it came."""
    received_at: UtcTime
    touches: tuple[str, ...] = ()
    """The connectors (their names in dogwatch.yaml) that it concerns; empty: none is asked."""
    everything: bool = False
    """Whether it asks for a round of all connectors."""
    says: str = ""
    """What it is about, in one line."""
    reply_to: str = ""
    """Where the answer has to go after the round. Forgotten once it was sent."""
    alerts: tuple[PushedAlert, ...] = Field(default=(), repr=False)
    """The alerts that it told of."""


class WaitingCall(Noun):
    """A call that no round has looked at."""

    number: int
    hook: str
    received_at: UtcTime
    touches: tuple[str, ...]
    everything: bool
    says: str
    reply_to: str


class Watcher(Noun):
    """A process that keeps the watch, or kept it."""

    name: str
    holder: str
    """Which process it is: host, process id, and something that no other process has."""
    began_at: UtcTime
    seen_at: UtcTime
    """Its last sign of life."""
    stopped_at: UtcTime | None = None
    """When it ended as it should; None while it lives, or if it just fell silent."""
    leads: bool = False
    """Whether it is the one that makes the rounds."""
    next_at: UtcTime | None = None
    """When its next round by the clock is due."""


class Organ(Noun):
    """One part of the house, looked at closely."""

    name: str
    ok: bool
    line: str
    """How it is."""
    hint: str = ""
    """What to do if it is not well."""


class Pulse(Noun):
    """Whether the watch is kept: how old what we know is, and who is awake."""

    at: UtcTime
    last_round_at: UtcTime | None = None
    """When the last round of everything ended; None if none ever did."""
    exit_code: int | None = None
    """What it answered."""
    stale_after_seconds: float
    """A last round older than this is too old."""
    stale: bool
    """Whether it is, or no round ever ended."""
    watchers: tuple[Watcher, ...] = ()
    waiting_calls: int = 0
    """Events that no round has looked at."""
