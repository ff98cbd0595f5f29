"""An incident: everything that one root cause broke, told once."""

from enum import StrEnum

from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.cause import Cause
from dogwatch.model.finding import Severity


class IncidentState(StrEnum):
    """Where it stands. The way is open, acknowledged, mitigated, resolved, and perhaps open again."""

    open = "open"
    acknowledged = "acknowledged"
    """A person has taken it on."""
    mitigated = "mitigated"
    """The culprit is well again; what it broke is not all mended yet."""
    resolved = "resolved"
    merged = "merged"
    """It turned out to be a part of another incident; ``merged_into`` says which."""

    @property
    def live(self) -> bool:
        """True while somebody may have to do something about it."""
        return self in (IncidentState.open, IncidentState.acknowledged, IncidentState.mitigated)


class Harm(StrEnum):
    """What an incident did to a job that is not its culprit."""

    failed = "failed"
    skipped = "skipped"
    late = "late"
    missed = "missed"
    stale = "stale"
    """It ran, on data that was not made anew."""
    degraded = "degraded"
    """It works, but worse than usual."""
    threatened = "threatened"
    """It is next in the way of harm; nothing has happened to it yet."""


class Affected(Noun):
    """One job that is hit."""

    subject: str
    name: str
    """For people."""
    harm: Harm
    since: UtcTime | None = None
    owner: str | None = None
    cites: tuple[str, ...] = ()
    """Evidence ids that show it; empty only for what is threatened."""


class Deadline(Noun):
    """A promise that an incident breaks or endangers."""

    pipeline: str
    due: UtcTime
    missed: bool
    """False while it can still be met."""


class Incident(Noun):
    """One root cause and what followed from it. The store keeps every version; ``version`` is compared and
    set, so that of two writers one learns that it was too late."""

    number: int
    """Counted by the store from 1; people say INC-7. 0 before it is stored."""
    key: str
    """What makes it this incident and no other, the same on every machine: a content id of the culprit and
    the first finding's fingerprint."""
    state: IncidentState
    severity: Severity
    title: str
    """One sentence: the culprit, the verb, what the platform said."""
    culprit: str
    """Subject of the job, component or platform where it began."""
    culprit_name: str
    """For people."""
    findings: tuple[str, ...]
    """Fingerprints of all findings that belong to it, the culprit's first, then by time."""
    active: tuple[str, ...] = ()
    """Those of them that the last round still found."""
    causes: tuple[Cause, ...] = ()
    """Best first; alternatives follow."""
    affected: tuple[Affected, ...] = ()
    """Without the culprit; by harm, then by name."""
    deadlines: tuple[Deadline, ...] = ()
    pipelines: tuple[str, ...] = ()
    """Names of the declared pipelines that it touches."""
    owners: tuple[str, ...] = ()
    blind: bool = False
    """True if it is that a platform cannot be read: counted as blindness, not as something that is wrong."""
    muted: str = ""
    """Why nobody is told of it (a mute, a maintenance window); empty if they are."""
    muted_by: str | None = None
    """The person who muted it; None if the configuration did, or if it is not muted."""
    muted_until: UtcTime | None = None
    """When a person's mute ends; None: never, or there is none."""
    opened_at: UtcTime
    """The round that saw it first."""
    began_at: UtcTime
    """When the trouble itself began, as far as the evidence shows."""
    updated_at: UtcTime
    resolved_at: UtcTime | None = None
    merged_into: int | None = None
    acknowledged_by: str | None = None
    reopened: int = 0
    """How many times it came back."""
    version: int = 0
    """Counts its states; 0 before it is stored."""

    @property
    def name(self) -> str:
        """How people call it."""
        return f"INC-{self.number}"

    @property
    def cites(self) -> tuple[str, ...]:
        """Evidence ids behind its causes and its harm, each once, in the order in which they are cited."""
        said = [*(cause.cites for cause in self.causes), *(hit.cites for hit in self.affected)]
        return tuple(dict.fromkeys(id_ for ids in said for id_ in ids))

    @property
    def wrong(self) -> bool:
        """Whether it makes an estate unhealthy: live, of WARNING or worse, not muted, and not mere blindness.

        Of one that is mitigated the severity is that of what is not mended yet.
        """
        return self.state.live and self.severity.rank >= 1 and not self.muted and not self.blind


class TurnKind(StrEnum):
    """What happened to an incident."""

    opened = "opened"
    changed = "changed"
    """It grew, shrank, or another culprit, cause or severity was found."""
    acknowledged = "acknowledged"
    mitigated = "mitigated"
    relapsed = "relapsed"
    """It was mitigated, and the culprit is unwell again."""
    resolved = "resolved"
    reopened = "reopened"
    merged = "merged"
    """It became a part of another one."""
    muted = "muted"
    unmuted = "unmuted"


class Turn(Noun):
    """One step in the life of an incident. The store keeps all of them, each with the state it led to."""

    number: int
    """Of the incident."""
    version: int
    """The version of the incident that it led to; versions have no gaps."""
    at: UtcTime
    actor: str
    """``rules``, or a person as ``user:<name>``."""
    kind: TurnKind
    was: IncidentState | None
    """The state before; None if there was none."""
    state: IncidentState
    """The state after."""
    why: str
    """One sentence."""
