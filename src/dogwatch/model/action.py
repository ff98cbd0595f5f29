"""An action: something that would change the world, proposed, consented to, performed and verified."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import JsonValue

from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.evidence import content_id


class Risk(StrEnum):
    """What an action may do beyond what it is meant to do."""

    safe = "safe"
    """Nothing that running the job by schedule would not do."""
    disruptive = "disruptive"
    """It stops or holds work."""
    destructive = "destructive"
    """It may lose something that cannot be brought back."""


class ActionState(StrEnum):
    """Where it stands."""

    proposed = "proposed"
    waiting = "waiting"
    """Policy says: ask."""
    approved = "approved"
    rejected = "rejected"
    refused = "refused"
    """Policy said no."""
    expired = "expired"
    claimed = "claimed"
    """Somebody is performing it; if that process died, nobody knows whether it was performed."""
    performed = "performed"
    """The platform took it; not verified yet."""
    helped = "helped"
    did_not_help = "did_not_help"
    made_worse = "made_worse"
    failed = "failed"
    """The platform did not take it."""
    unknown = "unknown"
    """The process died while performing it; a person has to look."""

    @property
    def under_way(self) -> bool:
        """True from the moment somebody begins it until it is known what came of it."""
        return self in (ActionState.claimed, ActionState.performed)

    @property
    def over(self) -> bool:
        """True if nothing will become of it any more."""
        return self not in _ALIVE


_ALIVE = frozenset(
    {
        ActionState.proposed,
        ActionState.waiting,
        ActionState.approved,
        ActionState.claimed,
        ActionState.performed,
    }
)


class Action(Noun):
    """One exact thing to do. Changing any part of it makes it another action, with another digest."""

    id: str
    """Short and stable: the first 10 hex digits of the digest and the number of the proposal."""
    connector: str
    """Instance that would perform it; ``local`` or ``webhook`` for what is not a platform's."""
    verb: str
    """rerun, cancel, repair, pause, resume, manual, or a configured command's name."""
    target: str
    """Subject of the job."""
    target_name: str
    """For people."""
    args: Mapping[str, JsonValue]
    risk: Risk
    reason: str
    """Why it is proposed, in one sentence."""
    cites: tuple[str, ...] = ()
    """Evidence ids."""
    incident: int
    """Number of the incident it is meant to mend."""
    proposed_by: str
    """``rules`` or ``agent:<name>``."""
    proposed_at: UtcTime
    expires_at: UtcTime
    state: ActionState = ActionState.proposed
    why: str = ""
    """Policy's reason for the state, or what came of it."""
    decided_by: str = ""
    """``policy``, or the person who consented or said no, as ``user:<name>``."""
    decided_at: UtcTime | None = None
    began_at: UtcTime | None = None
    """When somebody began to perform it."""
    ended_at: UtcTime | None = None
    """When it was known what came of it."""
    native_run_id: str | None = None
    """The run that came of it, if the platform told."""
    said: str = ""
    """What the platform said when it took it."""
    version: int = 0

    @property
    def key(self) -> str:
        """What platforms are told, so that the same consent is never carried out twice."""
        return f"dogwatch-{self.id}"

    @property
    def digest(self) -> str:
        """What consent is bound to: connector, verb, target, arguments, incident and evidence."""
        return content_id(
            [self.connector, self.verb, self.target, dict(self.args), self.incident, list(self.cites)]
        )
