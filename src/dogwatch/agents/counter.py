"""What tools of agents ask of one configuration."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pydantic import JsonValue

from dogwatch.model import Action, Change, Incident, Run, Status
from dogwatch.model.actions import ActionList, AuditTrail
from dogwatch.model.dossier import Dossier
from dogwatch.model.health import HealthAssessment
from dogwatch.model.precedent import Precedent
from dogwatch.model.report import Explanation, PlatformView, Timetable


class Desk(Protocol):
    """The verbs behind the tools; ``dogwatch.desk.Desk`` is the one there is. None asks a platform."""

    def now(self) -> datetime:
        """The clock's time."""
        ...

    def scrub(self, text: str) -> str:
        """The text with every credential in use masked."""
        ...

    async def incidents(
        self, *, live: bool, platform: str | None, since: datetime | None, limit: int
    ) -> Sequence[Incident]:
        """Incidents, worst first."""
        ...

    async def incident(self, number: int) -> Dossier:
        """One with all that it rests on."""
        ...

    async def similar(self, number: int, limit: int) -> Sequence[Precedent]:
        """Past ones that are like it."""
        ...

    async def runs(
        self,
        *,
        platform: str | None,
        job: str | None,
        status: tuple[Status, ...],
        since: datetime,
        limit: int,
    ) -> Sequence[Run]:
        """Remembered runs, newest first."""
        ...

    async def schedule(self, job: str | None, limit: int, slots: int) -> Timetable:
        """When jobs run."""
        ...

    async def explain(self, fingerprint: str) -> Sequence[Explanation]:
        """Findings whose fingerprint begins so."""
        ...

    async def health(self) -> tuple[Sequence[HealthAssessment], Sequence[PlatformView], datetime | None]:
        """Health and platforms by the last round, and when that was."""
        ...

    async def graph(self, what: str | None) -> Mapping[str, JsonValue]:
        """What depends on what."""
        ...

    async def changes(self, since: datetime) -> Sequence[Change]:
        """What was changed since then, in order."""
        ...

    async def actions(self, incident: int | None) -> ActionList:
        """What could be done."""
        ...

    async def audit(self, subject: str | None, *, after: int, limit: int) -> AuditTrail:
        """What was decided and done, in order."""
        ...

    async def propose(
        self, number: int, verb: str, target: str, reason: str, cites: tuple[str, ...], by: str
    ) -> Action:
        """Write down a proposal."""
        ...

    async def ask(self, number: int, question: str, by: str) -> None:
        """Write down a question."""
        ...
