"""One round, in order: read every platform, record, detect, correlate, remember. No other file knows it.

In one process it is made at one go. A team makes it in steps on many machines: ``begin``, ``look`` at each
platform, ``conclude``; a ``Reading`` is what is handed on between them.
"""

import asyncio
import gc
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dogwatch.causes.advice import Runbook
from dogwatch.detect import Detection, Policy, by_cadence, by_habit, detect, in_order
from dogwatch.errors import DATA_FAULTS, ConnectorError, UnexpectedAnswer
from dogwatch.gather.cases import Scene, conclude
from dogwatch.gather.graph import pipeline_graph
from dogwatch.gather.health import health
from dogwatch.gather.matters import Agenda, agenda, first_looks, is_urgent, matter, with_leaders, with_longer
from dogwatch.gather.telling import channel_findings, telling, watcher_findings
from dogwatch.incidents import Correlation
from dogwatch.logwatch import Ahead, LogSight, judge_logs, read_logs
from dogwatch.model import Alert, Finding, HealthAssessment, Job, Run, Severity, Source, job_subject
from dogwatch.model.report import CheckReport, PlatformView, Sight
from dogwatch.notify.routing import Plan as Telling
from dogwatch.pipelines.graph import Graph
from dogwatch.pipelines.lineage import Step as LineageStep
from dogwatch.pipelines.spec import Pipeline
from dogwatch.signals import (
    Signals,
    judge_signals,
    levels_of,
    names_of,
    read_signals,
    still_open,
    unchanged,
)
from dogwatch.store import Store, StoreThread
from dogwatch.store.feeds import FeedName
from dogwatch.store.incidents import Outrun
from dogwatch.store.steps import StepEnd
from dogwatch.wire.clock import Clock
from dogwatch.wire.connector import AnyConnector, Ask, HasCaveats, HasJobs, HasRuns, LooksInTurn

_DETAILS = timedelta(days=7)
"""Failures older than this are learned without the error text that costs a request of its own."""
_AT_ONCE = 5_000
"""Run attempts written in one transaction: small ones cost more in index pages than in rows."""
_GARBAGE_AT = 100_000
"""Objects made and not yet freed before garbage is looked for; Python's own number is 700 to 2,000."""
_TRIES = 5
"""How often a round thinks again because a person changed an incident while it thought."""
_SUSPICIOUS_SKEW = 120.0
"""Seconds by which a platform's clock may differ before it changes how far back we read."""


@dataclass(frozen=True, slots=True)
class Step:
    """Progress on one platform."""

    instance: str
    stage: str
    """``jobs``, ``runs``, ``read`` or ``blind``."""
    runs: int = 0
    """Run attempts read so far."""


Progress = Callable[[Step], None]
Note = Callable[[CheckReport], StepEnd]
"""What of a round's report the steps after it have to know."""


def _silent(step: Step) -> None:
    """Nobody is watching."""


@dataclass(slots=True)
class Reading:
    """What came of reading one platform: a value, as it may be judged on another machine."""

    title: str
    """The platform's name for people."""
    source: Source
    signals: Signals
    """Its metrics and alerts."""
    log: LogSight
    """What its log says."""
    baseline: bool = False
    """Whether it was read for the first time."""
    runs: int = 0
    requests: int = 0
    newest: datetime | None = None
    """The platform's own newest time of creation among the runs read."""

    @property
    def instance(self) -> str:
        """The connector's name."""
        return self.source.instance

    def saw(self, batch: Sequence[Run]) -> None:
        """Take note of runs that were read."""
        self.runs += len(batch)
        began = max((run.began_at for run in batch), default=None)
        if began is not None and (self.newest is None or began > self.newest):
            self.newest = began


class Round:
    """Reads the platforms through their connectors into the store and judges what it finds there."""

    def __init__(
        self,
        connectors: Sequence[AnyConnector],
        store: Store,
        thread: StoreThread,
        clock: Clock,
        *,
        policy: Policy,
        history_days: int,
        pipelines: Sequence[Pipeline] = (),
        runbooks: Sequence[Runbook] = (),
        lineage: Callable[[], Iterable[LineageStep]] = tuple,
        telling: Telling | None = None,
        log_components: Mapping[str, str] | None = None,
        feeds: Sequence[FeedName] = (),
        asked: frozenset[str] | None = None,
        pushed: Sequence[Alert] = (),
        progress: Progress = _silent,
    ) -> None:
        self._connectors = connectors
        self._store = store
        self._thread = thread
        self._clock = clock
        self._policy = policy
        self._history = timedelta(days=history_days)
        self._pipelines = pipelines
        self._runbooks = runbooks
        self._lineage = lineage
        self._telling = telling or Telling(ZoneInfo(policy.timezone))
        self._log_components = log_components or {}
        self._scope = asked
        self._asked = {one.name for one in connectors} if asked is None else asked
        self._pushed = pushed
        self._feeds = feeds
        self._progress = progress
        self._ahead: dict[str, Ahead] = {}
        self._listed: dict[str, Sequence[Job]] = {}
        """The jobs of each instance of which this round has read them."""

    async def run(self) -> CheckReport:
        """The whole round. A platform that fails is blind, not fatal; StoreError is fatal."""
        with _little_garbage():
            return await self._run()

    async def _run(self) -> CheckReport:
        now = self._clock.now()
        number = await self._thread(self._store.start_round, now)
        readings = await _together([self.look(connector, now) for connector in self._connectors])
        return await self.conclude(number, readings, now)

    async def conclude(
        self, number: int, readings: Sequence[Reading], now: datetime, note: Note | None = None
    ) -> CheckReport:
        """Judge what was read, and remember the round with all it found. ``note`` says what a team has to
        know of it; it is written in the same transaction."""
        plan = await self._thread(agenda, self._store, self._asked, now)
        found = await self._judge(plan, now)
        told = [one.signals for one in readings if one.instance in self._asked]
        found.merge(await self._judge_signals([*told, *_called(self._pushed)], plan, now))
        found.merge(judge_logs([one.log for one in readings], self._policy, now))
        if self._scope is not None:
            unasked = {one.name for one in self._connectors} - self._asked
            found.merge(await self._thread(unchanged, self._store, unasked, plan.open_findings))
        found.merge(await self._thread(channel_findings, self._telling, self._store, now))
        found.merge(await self._thread(watcher_findings, self._store, now))
        jobs = await self._thread(self._store.job_counts)
        scene = await self._scene(readings, found, now)
        well = await self._thread(health, self._store, scene.findings, scene.titles, self._pipelines, now)
        for tries_left in reversed(range(_TRIES)):
            after, casebook = await self._thread(conclude, self._store, scene, now)
            report = self._report(now, plan, readings, found, jobs, after, well)
            say = await self._thread(telling, self._store, after, found.evidence, self._telling, now)
            try:
                await self._thread(
                    self._store.end_round,
                    number,
                    now,
                    ended_at=self._clock.now(),
                    exit_code=report.exit_code,
                    body=report.model_dump(mode="json", include={"findings", "platforms", "health"}),
                    findings=report.findings,
                    evidence=tuple(found.evidence.values()),
                    ledger=found.ledger,
                    judged=plan.readable,
                    casebook=casebook,
                    told=say.new,
                    released=say.changed,
                    scope=None if self._scope is None else sorted(self._scope),
                    feeds=self._feeds,
                    step=None if note is None else note(report),
                )
                return report.model_copy(update={"messages": tuple(say.messages)})
            except Outrun:  # somebody has just taken on or muted one of the incidents: think again
                if not tries_left:
                    raise
        raise AssertionError("not reached: the last try returns or raises")

    async def look(self, connector: AnyConnector, now: datetime, ahead: Ahead | None = None) -> Reading:
        """Read one platform of a round that began at ``now``, or take what is known of it if it is not
        asked. ``ahead``: its log, where somebody has begun to read that."""
        if ahead is not None:
            self._ahead[connector.name] = ahead
        source = await self._thread(self._store.source, connector.name, _kind(connector))
        reading = Reading(connector.title, source, Signals(connector.name), LogSight(connector.name))
        return await self._read(connector, reading, now) if connector.name in self._asked else reading

    async def unread(self, connector: AnyConnector, now: datetime, why: str, hint: str) -> Reading:
        """What a round goes on with where nobody came to the end of reading: the platform is blind."""
        source = await self._thread(self._store.source, connector.name, _kind(connector))
        blind = {"blind_since": source.blind_since or now, "blind_reason": why, "blind_hint": hint}
        source = source.model_copy(update=blind)
        await self._thread(self._store.save_source, source)
        return Reading(connector.title, source, Signals(connector.name), LogSight(connector.name))

    async def _read(self, connector: AnyConnector, reading: Reading, now: datetime) -> Reading:
        """Read one platform into the store. Its watermark moves only if all of it was read and recorded."""
        reading.baseline = reading.source.judged_until is None
        failure: ConnectorError | None = None
        for part in (
            self._read_jobs, self._read_runs, self._read_signals, self._read_logs, self._read_caveats
        ):  # fmt: skip
            try:
                await part(connector, reading, now)
            except ConnectorError as error:
                failure = failure or error
            except DATA_FAULTS as error:
                failure = failure or UnexpectedAnswer(
                    f"an answer could not be made sense of ({type(error).__name__})",
                    "the platform may have changed its API; please report this with the dogwatch version",
                )
            if failure is not None and failure.transient:
                break  # the next part would wait just as long for nothing
        skew = connector.http.skew
        seen: dict[str, object] = {"skew_seconds": None if skew is None else round(skew.total_seconds(), 1)}
        if failure is None:
            if isinstance(connector, LooksInTurn):
                seen["resume"] = connector.resume or None
            reading.source = reading.source.model_copy(update={**seen, **self._progressed(reading, now)})
        else:
            said = connector.doors.secrets.scrub(failure.message)
            since = reading.source.blind_since or now
            blind = {"blind_since": since, "blind_reason": said, "blind_hint": failure.hint}
            reading.source = reading.source.model_copy(update={**seen, **blind})
        reading.requests = connector.http.requests
        await self._thread(self._store.save_source, reading.source)
        self._progress(Step(connector.name, "blind" if failure else "read", reading.runs))
        return reading

    async def _read_jobs(self, connector: AnyConnector, reading: Reading, now: datetime) -> None:
        self._progress(Step(connector.name, "jobs"))
        if isinstance(connector, HasJobs):
            jobs = [*{job.job_id: job for job in await connector.jobs(now)}.values()]
            await self._thread(self._store.save_jobs, connector.name, jobs, now, reading.source.read_until)
            self._listed[connector.name] = jobs

    async def _read_runs(self, connector: AnyConnector, reading: Reading, now: datetime) -> None:
        if not isinstance(connector, HasRuns):
            return
        ask = await self._ask(connector, reading, now)
        self._progress(Step(connector.name, "runs"))
        waiting: list[Run] = []
        try:
            async for batch in connector.runs(ask):
                waiting += batch
                reading.saw(batch)
                self._progress(Step(connector.name, "runs", reading.runs))
                if len(waiting) >= _AT_ONCE:
                    await self._thread(self._store.record, waiting)
                    waiting = []
        finally:
            await self._thread(self._store.record, waiting)  # what came before an error is kept

    async def _read_signals(self, connector: AnyConnector, reading: Reading, now: datetime) -> None:
        store, thread = self._store, self._thread
        source, history = reading.source, self._history
        await read_signals(connector, source, store, thread, now, history, reading.signals)

    async def _read_logs(self, connector: AnyConnector, reading: Reading, now: datetime) -> None:
        ahead = self._ahead.get(connector.name)
        await read_logs(connector, self._store, self._thread, now, self._log_components, reading.log, ahead)

    async def _read_caveats(self, connector: AnyConnector, reading: Reading, now: datetime) -> None:
        """Last, as reading shows most of what cannot be read."""
        if isinstance(connector, HasCaveats):
            reading.source = reading.source.model_copy(update={"caveats": tuple(await connector.caveats())})

    async def _ask(self, connector: AnyConnector, reading: Reading, now: datetime) -> Ask:
        source = reading.source
        earliest = now - self._history
        since = earliest
        if source.watermark is not None:
            behind = max(0.0, -(source.skew_seconds or 0.0) - _SUSPICIOUS_SKEW)
            since = max(earliest, source.watermark - connector.overlap - timedelta(seconds=behind))
        unsettled = await self._thread(self._store.unsettled_jobs, [connector.name])
        listed = self._listed.get(connector.name)
        names = (
            await self._thread(self._store.job_names, connector.name)
            if listed is None
            else {job.job_id: job.name for job in listed}
        )
        return Ask(
            now=now,
            since=since,
            details_since=now - _DETAILS,
            names=names,
            known=await self._thread(self._store.known, connector.name, earliest),
            learning=source.first_read_at is None,
            broken=frozenset(job_id for (_, job_id), broken in unsettled.items() if broken),
            previous=source.read_until,
            resume=source.resume or "",
            urgent=await self._thread(is_urgent, self._store, connector.name),
        )

    def _progressed(self, reading: Reading, now: datetime) -> dict[str, object]:
        """The source's new state. The watermark never passes the platform's own newest time, so that a
        platform whose clock is behind loses nothing."""
        known = [moment for moment in (reading.source.watermark, reading.newest) if moment is not None]
        newest = max(known, default=None)
        return {
            "first_read_at": reading.source.first_read_at or now,
            "read_until": now,
            "watermark": now if newest is None else min(now, newest),
            "blind_since": None,
            "blind_reason": "",
            "blind_hint": "",
        }

    async def _judge(self, plan: Agenda, now: datetime) -> Detection:
        """Ask all rules about everything that is on the agenda, some jobs at a time."""
        found = Detection()
        for jobs in plan.parts():
            known = await self._thread(matter, self._store, plan, jobs, self._policy, now)
            said = detect(known.facts, now, known.duty, self._policy)
            longer = known.cut & {key for key in jobs if job_subject(*key) in by_habit(said)}
            if longer:  # what seems unusual may be usual on this day of the week or of the month
                facts = await self._thread(with_longer, self._store, known.facts, longer)
                known = replace(known, facts=facts)
                said = detect(facts, now, known.duty, self._policy)
            led = {key for key in jobs if job_subject(*key) in by_cadence(said)}
            if led:  # what has always begun when another job was done is not late while that one is
                known = await self._thread(with_leaders, self._store, known, led)
                said = detect(known.facts, now, known.duty, self._policy)
            found.merge(said)
        looks = found.ledger.looks
        met = await self._thread(first_looks, self._store, plan, self._policy, now, looks, self._listed)
        found.ledger.looks |= met
        return found

    async def _judge_signals(self, told: Sequence[Signals], plan: Agenda, now: datetime) -> Detection:
        """Limits and shifts of metrics, and alerts; what nobody could look at stays as it was."""
        levels = await self._thread(levels_of, self._store, told, now)
        names = await self._thread(names_of, self._store, told)
        found = judge_signals(told, levels, plan.open_findings, self._policy, now, names)
        found.merge(await self._thread(still_open, self._store, told, plan.open_findings))
        return found

    async def _scene(self, readings: Sequence[Reading], found: Detection, now: datetime) -> Scene:
        """What was found, and what depends on what if anybody has to know."""
        graph = Graph()
        live = await self._thread(self._store.live_incidents)
        if found.findings or live:
            told = (self._pipelines, self._lineage, now, self._listed)
            graph = await self._thread(pipeline_graph, self._store, *told)
        return Scene(
            findings=in_order(found.findings),
            evidence=found.evidence,
            graph=graph,
            titles={one.source.instance: _title(one) for one in readings},
            kinds={one.source.instance: one.source.platform for one in readings},
            runbooks=self._runbooks,
        )

    def _report(
        self,
        now: datetime,
        plan: Agenda,
        readings: Sequence[Reading],
        found: Detection,
        jobs: Mapping[str, int],
        after: Correlation,
        well: Sequence[HealthAssessment],
    ) -> CheckReport:
        findings = tuple(in_order(found.findings))
        known = {finding.fingerprint for finding in plan.open_findings}
        report = CheckReport(
            at=now,
            timezone=self._policy.timezone,
            previous_round_at=plan.previous,
            exit_code=0,
            findings=findings,
            new=tuple(finding.fingerprint for finding in findings if finding.fingerprint not in known),
            evidence=tuple({**found.evidence, **after.evidence}.values()),
            incidents=after.incidents,
            ended=after.ended,
            turns=after.turns,
            platforms=tuple(_view(reading, jobs, findings) for reading in readings),
            health=tuple(well),
            wall_seconds=round((self._clock.now() - now).total_seconds(), 3),
        )
        code = 1 if report.wrong else 3 if report.blind else 0
        return report.model_copy(update={"exit_code": code})


@contextmanager
def _little_garbage() -> Generator[None]:
    """Within it Python seldom looks for cycles that nothing refers to: a round makes hundreds of thousands of
    values without any, and would spend a sixth of its time on looking."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_GARBAGE_AT, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _called(pushed: Sequence[Alert]) -> list[Signals]:
    """The alerts that others told us, by who did."""
    return [
        Signals(instance, alerts=[one for one in pushed if one.instance == instance], complete=True)
        for instance in sorted({one.instance for one in pushed})
    ]


async def _together(readings: Sequence[Coroutine[None, None, Reading]]) -> list[Reading]:
    """What came of all of them. If one fails (only the store can make it), none goes on behind our back."""
    tasks = [asyncio.ensure_future(reading) for reading in readings]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _view(reading: Reading, jobs: Mapping[str, int], findings: Sequence[Finding]) -> PlatformView:
    source = reading.source
    known = jobs.get(source.instance, 0)
    troubled = {
        finding.subject
        for finding in findings
        if finding.severity.rank >= Severity.WARNING.rank
        and finding.subject.startswith(f"{source.instance}/")
    }
    blind = source.blind_since is not None
    return PlatformView(
        instance=source.instance,
        platform=source.platform,
        title=_title(reading),
        sight=Sight.blind if blind else Sight.clear,
        blind_since=source.blind_since,
        reason=source.blind_reason,
        hint=source.blind_hint,
        read_until=source.read_until,
        jobs=known,
        jobs_as_expected=None if blind else max(0, known - len(troubled)),
        runs_read=reading.runs,
        requests=reading.requests,
        skew_seconds=source.skew_seconds,
        caveats=source.caveats,
        baseline=reading.baseline and not blind,
    )


def _title(reading: Reading) -> str:
    title, source = reading.title, reading.source
    return title if source.instance == source.platform else f"{title} ({source.instance})"


def _kind(connector: AnyConnector) -> str:
    return type(connector).__module__.rpartition(".")[2]
