"""The verbs that read, asked of a ``dogwatch serve`` elsewhere: the same names and the same values."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from dogwatch.errors import (
    AuthError,
    ConnectorError,
    IncidentError,
    SettingsError,
    UnexpectedAnswer,
    Unreachable,
)
from dogwatch.model import Noun, Run
from dogwatch.model.actions import ActionList, AuditTrail, AuditVerdict
from dogwatch.model.answer import Answer
from dogwatch.model.call import Pulse
from dogwatch.model.channels import ChannelsReport
from dogwatch.model.dossier import Dossier, IncidentList
from dogwatch.model.overview import Overview
from dogwatch.model.pages import JobFile, JobList, LogPage, SearchResult
from dogwatch.model.report import Explanation, Timetable
from dogwatch.model.review import Review
from dogwatch.model.text import one_line
from dogwatch.store.incidents import IncidentFilter
from dogwatch.store.rows import RunFilter
from dogwatch.wire.clock import SystemClock
from dogwatch.wire.http import Doors, Pace
from dogwatch.wire.login import FixedToken

if TYPE_CHECKING:
    from dogwatch.lookup.graph import Chart

N = TypeVar("N", bound=BaseModel)
_ROOT = "/api/v1"


class _Runs(Noun):
    format: str
    runs: tuple[Run, ...]


class _Drawn(Noun):
    format: str
    heading: str
    nodes: tuple[dict[str, Any], ...]
    edges: tuple[dict[str, Any], ...]
    pipelines: tuple[dict[str, Any], ...]
    cycles: tuple[tuple[str, ...], ...]
    warnings: tuple[str, ...]


class Remote:
    """A dogwatch somewhere else. Use within ``async with``. Every verb may raise ConnectorError."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the way. Raises SettingsError for an address or a token that cannot be one."""
        if not self._url.startswith(("http://", "https://")):
            raise SettingsError(
                f"--server: {one_line(self._url, 100)!r} is no address of a dogwatch serve",
                "write it as http://127.0.0.1:8321 or https://dogwatch.example.com",
            )
        doors = Doors(SystemClock())
        login = FixedToken(SecretStr(self._token), doors.secrets) if self._token else None
        self._http = doors.open(self._url, login=login, pace=Pace(tries=2, timeout=30.0))
        self._open.push_async_callback(self._http.aclose)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self._open.aclose()

    async def incidents(self, wanted: IncidentFilter) -> IncidentList:
        """Remembered incidents. Raises SettingsError if no connector there is called so."""
        asked = _asked(
            state=[state.value for state in wanted.states],
            all=None if wanted.states else "true",
            platform=wanted.platform,
            since=wanted.since,
            limit=wanted.limit,
        )
        return await self._listed(IncidentList, "/incidents", asked)

    async def incident(self, number: int) -> Dossier:
        """One incident with everything it rests on. Raises IncidentError."""
        try:
            return await self._get(Dossier, f"/incidents/{number}")
        except ConnectorError as error:
            if error.status == 404:
                raise IncidentError(f"there is no INC-{number}", "dogwatch incidents") from error
            raise

    async def runs(self, wanted: RunFilter) -> list[Run]:
        """Remembered runs, newest first. Raises SettingsError if no connector there is called so."""
        asked = _asked(
            platform=wanted.platform,
            job=wanted.job,
            status=[status.value for status in wanted.status],
            since=wanted.since,
            limit=wanted.limit,
        )
        return list((await self._listed(_Runs, "/runs", asked)).runs)

    async def schedule(self, job: str | None = None, *, limit: int = 50, slots: int = 10) -> Timetable:
        """When jobs run, and what became of their slots."""
        return await self._get(Timetable, "/schedule", _asked(job=job, limit=limit, slots=slots))

    async def explain(self, fingerprint: str) -> list[Explanation]:
        """The finding whose fingerprint begins so; none if there is none."""
        try:
            return [await self._get(Explanation, f"/findings/{quote(fingerprint, safe='')}")]
        except ConnectorError as error:
            if error.status == 404:
                return []
            raise

    async def graph(self, what: str | None = None) -> "Chart":
        """What depends on what. Raises SettingsError if nothing is called so."""
        from dogwatch.lookup.graph import Chart
        from dogwatch.pipelines.draw import from_json

        try:
            told = (await self._get(_Drawn, "/graph", _asked(of=what))).model_dump(mode="json")
            return Chart(from_json(told), told["heading"], tuple(told["warnings"]))
        except ConnectorError as error:
            if error.status == 404:
                said = f"no pipeline and no job is called {one_line(what or '', 80)!r} there"
                raise SettingsError(said, "dogwatch graph draws everything that is known") from error
            raise
        except (KeyError, TypeError, ValidationError) as error:
            raise UnexpectedAnswer(
                f"{self._url} draws a graph that this version cannot read",
                "use the same version on both sides",
            ) from error

    async def overview(self, since: datetime) -> Overview:
        """The estate at one glance."""
        return await self._get(Overview, "/overview", _asked(since=since))

    async def day(self) -> Overview:
        """The same for the last day."""
        return await self.overview(SystemClock().now() - timedelta(days=1))

    async def ask(self, question: str) -> Answer:
        """The answer to a question by rules."""
        return await self._get(Answer, "/ask", _asked(question=question))

    async def review(self, days: int) -> Review:
        """Alerts, causes and actions there, judged."""
        return await self._get(Review, "/review", _asked(days=days))

    def pages(self) -> Self:
        """What pages and searches ask for."""
        return self

    async def search(self, text: str) -> SearchResult:
        """Jobs, incidents, actions and findings that have to do with a text."""
        return await self._get(SearchResult, "/search", {"q": text})

    async def jobs(self, instance: str | None, text: str, after: str, limit: int) -> JobList:
        """A page of jobs."""
        return await self._get(
            JobList, "/jobs", _asked(platform=instance, text=text, cursor=after, limit=limit)
        )

    async def job(self, instance: str, job_id: str) -> JobFile:
        """One job. Raises SettingsError if it was never known."""
        try:
            return await self._get(JobFile, f"/jobs/{quote(instance, safe='')}/{quote(job_id, safe='')}")
        except ConnectorError as error:
            if error.status == 404:
                said = f"no job is called {one_line(f'{instance}/{job_id}', 120)!r} there"
                raise SettingsError(said, "dogwatch schedule") from error
            raise

    async def logs(self) -> LogPage:
        """What the logs say, new and surging first."""
        return await self._get(LogPage, "/logs")

    async def notify_status(self) -> ChannelsReport:
        """How every channel there is."""
        return await self._get(ChannelsReport, "/channels")

    async def actions(self, *, everything: bool = False, incident: int | None = None) -> ActionList:
        """What could be done, waits for consent or is under way."""
        return await self._get(
            ActionList, "/actions", _asked(all="true" if everything else None, incident=incident)
        )

    async def audit(self, subject: str | None = None, *, after: int = 0, limit: int = 1_000) -> AuditTrail:
        """What was decided and done."""
        return await self._get(AuditTrail, "/audit", _asked(on=subject, after=after, limit=limit))

    async def verify_audit(self) -> AuditVerdict:
        """Whether the record is as it was written."""
        return await self._get(AuditVerdict, "/audit/verify")

    async def pulse(self) -> Pulse:
        """How old what is known there is."""
        found = await self._get(Overview, "/tonight")
        return Pulse(
            at=found.at,
            last_round_at=found.last_round_at,
            stale_after_seconds=0.0,
            stale=found.stale_since is not None,
        )

    async def _listed(self, noun: type[N], path: str, asked: Mapping[str, Any]) -> N:
        """A list that may be of one connector. Raises SettingsError if there is none of this name."""
        try:
            return await self._get(noun, path, asked)
        except ConnectorError as error:
            if error.status != 404 or "platform" not in asked:
                raise
            known = [one.instance for one in (await self._get(Overview, "/tonight")).platforms]
            said = f"no connector is called {one_line(asked['platform'], 80)!r} there"
            raise SettingsError(said, f"its last round read: {', '.join(known) or 'none'}") from error

    async def _get(self, noun: type[N], path: str, asked: Mapping[str, Any] | None = None) -> N:
        try:
            return (await self._http.get(_ROOT + path, asked)).parse(TypeAdapter(noun))
        except AuthError as error:
            raise SettingsError(
                f"{self._url} lets nobody in with this token ({error.status})",
                "set DOGWATCH_TOKEN to a token that `dogwatch token new` made there",
            ) from error
        except UnexpectedAnswer as error:
            fix = error.hint or f"is {self._url} a dogwatch serve of this version? --server names it"
            raise UnexpectedAnswer(error.message, fix, status=error.status) from error
        except Unreachable as error:
            raise Unreachable(
                error.message, f"does dogwatch serve run at {self._url}? --server or DOGWATCH_SERVER names it"
            ) from error


def _asked(**given: Any) -> dict[str, Any]:
    """The parameters that say something."""
    told = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in given.items()}
    return {key: value for key, value in told.items() if value not in (None, [], "")}
