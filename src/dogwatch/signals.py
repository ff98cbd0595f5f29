"""The part of a round that is about signals: metrics, alerts and changes are read, kept and judged.

Recent samples are judged and forgotten; what is remembered of a series is its level in each hour, so that its
usual is known even where the platform itself forgets. Nothing of this is asked of connectors that lack the
ability.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

from dogwatch.detect import Detection, Policy
from dogwatch.detect.alerting import alerting, called
from dogwatch.detect.changes import in_time_order, job_changes
from dogwatch.detect.hushed import hushed
from dogwatch.detect.shifts import Level, shifts
from dogwatch.detect.thresholds import Series, thresholds
from dogwatch.model import Alert, Change, Finding, MetricSeries, Source, job_subject
from dogwatch.model.signal import COMPONENT
from dogwatch.store import Store, StoreThread
from dogwatch.wire.connector import AnyConnector, HasAlerts, HasChanges, HasMetrics

RULES = frozenset({"threshold", "shift", "alert"})
"""The rules that judge signals."""
_RECENT = timedelta(hours=3)
"""What is judged, a sample a minute."""
_STEP = timedelta(minutes=1)
_HISTORY = timedelta(days=14)
"""How far back levels are learned, and remembered."""
_COARSE = timedelta(minutes=15)
_HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Signals:
    """What one connector told in this round."""

    instance: str
    series: Sequence[MetricSeries] = ()
    """Their recent samples."""
    alerts: Sequence[Alert] = ()
    complete: bool = False
    """Whether everything that was asked was answered."""


async def read_signals(
    connector: AnyConnector,
    source: Source,
    store: Store,
    thread: StoreThread,
    now: datetime,
    history: timedelta,
    into: Signals,
) -> None:
    """Ask a connector for what it can tell of signals, and remember it. Raises its ConnectorError."""
    since = now - history
    if source.read_until is not None:
        since = max(since, source.read_until - connector.overlap)
    if isinstance(connector, HasChanges):
        async for batch in connector.changes(since, now):
            await thread(store.save_changes, batch)
    if isinstance(connector, HasMetrics):
        if source.read_until is None or now - source.read_until > _RECENT:
            past = await connector.query(max(since, now - _HISTORY), now - _RECENT, _COARSE)
            await thread(store.save_levels, hourly(past, now), now - _HISTORY)
        into.series = await connector.query(now - _RECENT, now, _STEP)
        await thread(store.save_levels, hourly(into.series, now), now - _HISTORY)
    if isinstance(connector, HasAlerts):
        into.alerts = await connector.alerts(now)
    into.complete = True


def hourly(series: Iterable[MetricSeries], now: datetime) -> dict[str, list[Level]]:
    """The median of each whole hour of each series, by its key; the hour that is not over is left out.

    An hour of which the samples show only a part is left out too, unless it is all that is known of it.
    """
    found: dict[str, list[Level]] = {}
    for one in series:
        hours: dict[datetime, list[float]] = {}
        for at, value in one.samples:
            hours.setdefault(_hour_of(at), []).append(value)
        first = one.samples[0][0] if one.samples else now
        whole = [(hour, median(values)) for hour, values in sorted(hours.items())]
        found[one.key] = [
            (hour, value) for hour, value in whole if hour + _HOUR <= now and first - hour <= _COARSE
        ]
    return found


def _hour_of(at: datetime) -> datetime:
    return datetime.fromtimestamp(at.timestamp() // 3600 * 3600, UTC)


def judge_signals(
    told: Sequence[Signals],
    levels: Mapping[str, Sequence[Level]],
    open_findings: Sequence[Finding],
    policy: Policy,
    now: datetime,
    names: Mapping[str, str],
) -> Detection:
    """Limits, shifts and alerts; what was known before keeps the time at which it began.

    ``names`` are those of jobs by their subjects.
    """
    found = Detection()
    everything = [one for signals in told for one in signals.series]
    thresholds([_series(one, names) for one in everything], now, found, policy.limits)
    shifts(everything, levels, now, found, policy.zone, names)
    alerting([alert for signals in told for alert in signals.alerts], now, found, names)
    begun = {finding.fingerprint: finding.at for finding in open_findings}
    found.findings = [
        finding.model_copy(update={"at": min(finding.at, begun.get(finding.fingerprint, finding.at))})
        for finding in found.findings
    ]
    found.findings = hushed(found, {}, policy.told, now)
    return found


def names_of(store: Store, told: Sequence[Signals]) -> dict[str, str]:
    """The names of the jobs that metrics and alerts are about, by their subjects."""
    subjects = {one.subject for signals in told for one in signals.series}
    subjects |= {one.subject for signals in told for one in signals.alerts}
    wanted: dict[str, set[str]] = {}
    for subject in subjects:
        instance, slash, job_id = subject.partition("/")
        if slash and not subject.startswith(COMPONENT):
            wanted.setdefault(instance, set()).add(job_id)
    return {
        job_subject(instance, job_id): name
        for instance, ids in wanted.items()
        for job_id, name in store.job_names(instance, ids).items()
    }


def levels_of(store: Store, told: Sequence[Signals], now: datetime) -> dict[str, list[Level]]:
    """The remembered levels of the series that were told."""
    keys = [one.key for signals in told for one in signals.series]
    return store.levels(keys, now - _HISTORY) if keys else {}


def still_open(store: Store, told: Sequence[Signals], open_findings: Sequence[Finding]) -> Detection:
    """What was wrong by signals of platforms that could not be read now: nobody knows that it is over."""
    unread = {signals.instance for signals in told if not signals.complete}
    kept = Detection()
    suspects = [finding for finding in open_findings if finding.rule in RULES] if unread else []
    evidence = {item.id: item for item in store.evidence(id_ for one in suspects for id_ in one.evidence)}
    for finding in suspects:
        cited = [evidence[id_] for id_ in finding.evidence if id_ in evidence]
        if any(item.source in unread for item in cited):
            kept.cite(*cited)
            kept.add([finding])
    return kept


def unchanged(store: Store, unasked: Set[str], open_findings: Sequence[Finding]) -> Detection:
    """What was wrong on platforms that a round of a part does not ask: it stays as it was."""
    kept = Detection()
    cited = store.evidence(id_ for finding in open_findings for id_ in finding.evidence) if unasked else []
    evidence = {item.id: item for item in cited}
    for finding in open_findings if unasked else ():
        proof = [evidence[id_] for id_ in finding.evidence if id_ in evidence]
        home = finding.subject.partition("/")[0]
        tellers = {item.source.partition(":")[0] for item in proof}
        if home in unasked or (f"{home}/" == COMPONENT and tellers & unasked):
            kept.cite(*proof)
            kept.add([finding])
    return kept


def known_changes(store: Store, since: datetime, until: datetime) -> list[Change]:
    """Everything that is known to have changed in [since, until]: what connectors told, and edits of jobs."""
    told = store.changes(since, until)
    for versions in store.versions(store.edited_versions(since, until)).values():
        told += [change for change in job_changes(versions) if since <= change.at <= until]
    return in_time_order(told)


def _series(one: MetricSeries, names: Mapping[str, str]) -> Series:
    name = called(one.subject, names)
    return Series(one.metric, one.subject, one.samples, one.instance, one.labels, one.url, name, one.said)
