"""What the rules need to know, fetched from the store: only of the jobs to which something happened.

A job is looked at again if something new of its runs or of itself was recorded since the last round that
ended, if what it waits for did something, if one of its runs is not over, if something is wrong with it, or
if its time has come. Of all others nothing new could be said. Everything here is sync and runs in the
store's thread.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dogwatch.detect import Duty, Facts, Policy
from dogwatch.detect.expect import JobVersion, Past
from dogwatch.detect.ledger import AGAIN, first_look, quarter_of, since_first_read
from dogwatch.detect.skipped import AT_ONCE, skips_at_the_end
from dogwatch.model import ActionState, Finding, Job, Run, Source
from dogwatch.model.ledger import JobKey, Look
from dogwatch.store import Store

HISTORY = 130
"""Runs of a job that the rules look back on; of months, where those of so many runs are not enough."""
LONG_HISTORY = 4_000
_BEFORE = timedelta(hours=2)
"""Of jobs that run very often, so much from before the slots in question: enough to know how they start."""
_UPSTREAM_HISTORY = 60
_LED_STARTS = 8
"""So many starts of a job tell after which other job it begins; one of them may differ."""
_RIGHT_AFTER = timedelta(seconds=90)
_CLOCKS_APART = timedelta(seconds=2)
_LONGEST_LEAD = timedelta(hours=6)
_MOST_LED = 20
"""Each costs a look at what all jobs did at some moments."""
_TOGETHER = 200
"""Jobs that are looked at together, so that memory stays bounded however many there are."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """What a round has to look at."""

    jobs: Sequence[JobKey]
    sources: Sequence[Source]
    """Of the configured platforms."""
    lists_jobs: frozenset[str]
    met: Sequence[str] = ()
    """Instances that were read whole for the first time: their past is learned, not judged."""
    readable: Sequence[str] = ()
    """Instances that were read whole by this round."""
    open_findings: Sequence[Finding] = ()
    """What was wrong at the end of the last round."""
    previous: datetime | None = None
    """When the last round that ended began."""

    def parts(self) -> Iterable[Sequence[JobKey]]:
        """The jobs, so many at a time; once if there are none, as rules ask about platforms too."""
        starts = range(0, max(1, len(self.jobs)), _TOGETHER)
        return (self.jobs[start : start + _TOGETHER] for start in starts)


def agenda(store: Store, instances: AbstractSet[str], now: datetime) -> Agenda:
    """Which jobs of these instances a round at ``now`` has to look at."""
    number, previous = store.last_round()
    sources = [source for source in store.sources() if source.instance in instances]
    met = {source.instance for source in sources if source.judged_until is None}
    readable = {source.instance for source in sources if source.blind_since is None and source.read_until}
    found = store.open_findings()
    listed = frozenset(store.job_counts())
    news: set[JobKey] = set()
    if instances - met:  # of a first round everything would be news
        news = store.changed_jobs(number) | store.open_jobs()
        if previous is not None:
            news |= store.edited_jobs(previous)
        news |= store.followers(news)
    jobs = {key for key in news if key[0] in instances - met}
    jobs |= set(store.unsettled_jobs(met))
    jobs |= store.due_jobs(readable - met, now)
    jobs |= {key for finding in found if (key := _job_of(finding)) and key[0] in instances}
    return Agenda(
        jobs=sorted(jobs),
        sources=sources,
        lists_jobs=listed,
        met=sorted(met & readable),
        readable=sorted(readable),
        open_findings=found,
        previous=previous,
    )


def is_urgent(store: Store, instance: str) -> bool:
    """Whether a round must not leave anything there for a later one: somebody called because something
    happened, or one of our actions is under way and has to be followed."""
    if store.is_called(instance):
        return True
    under_way = store.actions(states=[state for state in ActionState if state.under_way])
    return any(action.connector == instance for action in under_way)


def _job_of(finding: Finding) -> JobKey | None:
    instance, slash, job_id = finding.subject.partition("/")
    return (instance, job_id) if slash else None


@dataclass(frozen=True, slots=True)
class Matter:
    """What is known of some jobs."""

    facts: Facts
    duty: Duty
    cut: frozenset[JobKey] = field(default_factory=frozenset[JobKey])
    """Those of which more is remembered than the facts hold."""


def matter(store: Store, agenda: Agenda, jobs: Sequence[JobKey], policy: Policy, now: datetime) -> Matter:
    """Everything that rules may ask about some of the jobs."""
    sources = {source.instance: source for source in agenda.sources}
    versions = {
        key: [JobVersion(job, begun, ended) for job, begun, ended in known]
        for key, known in store.versions(jobs).items()
    }
    existing = {key: known[-1].job for key, known in versions.items() if known[-1].valid_to is None}
    histories = store.histories(jobs, HISTORY)
    since = {name: _since(source, now) for name, source in sources.items()}
    full = {
        key: store.runs_since(key, since[key[0]] - _BEFORE)
        for key, runs in histories.items()
        if key[0] in since and len(runs) == HISTORY and runs[0].began_at > since[key[0]] - _BEFORE
    }
    upstreams = {(key[0], job_id) for key, job in existing.items() for job_id in job.after}
    lives = histories | full | store.histories(sorted(upstreams - histories.keys()), _UPSTREAM_HISTORY)
    pasts = {
        key: past
        for key, job in existing.items()
        if (past := _past(key, job, versions[key], sources.get(key[0]), lives, policy)) is not None
    }
    kept = store.slots({key: existing[key] for key in pasts}, since)
    return Matter(
        Facts(existing, histories, agenda.sources, agenda.lists_jobs, _troubles(store, histories)),
        Duty(pasts, since, kept),
        frozenset(key for key, runs in histories.items() if len(runs) == HISTORY),
    )


def _troubles(store: Store, histories: Mapping[JobKey, Sequence[Run]]) -> list[Run]:
    """What went wrong at the moments when jobs were skipped."""
    found: dict[str, Run] = {}
    for history in histories.values():
        for skip in skips_at_the_end(history)[-1:]:
            near = store.troubles(skip.began_at - AT_ONCE, skip.began_at + AT_ONCE)
            found |= {run.uid: run for run in near}
    return list(found.values())


def _past(
    key: JobKey,
    job: Job,
    versions: Sequence[JobVersion],
    source: Source | None,
    lives: Mapping[JobKey, Sequence[Run]],
    policy: Policy,
) -> Past | None:
    """What is known of one job for the question whether runs are missing; None if it is too early to ask."""
    known = since_first_read(versions, source.first_read_at if source else None)
    if not known:
        return None
    return Past(
        known,
        lives.get(key, ()),
        [lives.get((key[0], job_id), ()) for job_id in job.after],
        policy.schedule_of(job.subject, job.name),
    )


def _since(source: Source, now: datetime) -> datetime:
    """From when on slots of a platform are judged, or judged again."""
    last = min(source.judged_until or now, source.read_until or now, now)
    return quarter_of(last - AGAIN)


def with_longer(store: Store, facts: Facts, jobs: AbstractSet[JobKey]) -> Facts:
    """The same facts with a longer past of some jobs."""
    return replace(facts, histories={**facts.histories, **store.histories(sorted(jobs), LONG_HISTORY)})


def with_leaders(store: Store, known: Matter, jobs: AbstractSet[JobKey]) -> Matter:
    """The same for jobs that nothing schedules, each with the job after which it has always begun.

    If there is one, it is waited for when that one is done, and not by the clock.
    """
    pasts = dict(known.duty.pasts)
    for key in sorted(jobs)[:_MOST_LED]:
        leader = _leader(store, key, pasts[key].runs)
        if leader is not None:
            life = store.histories([leader], _UPSTREAM_HISTORY)[leader]
            pasts[key] = replace(pasts[key], upstreams=[life])
    return replace(known, duty=replace(known.duty, pasts=pasts))


def _leader(store: Store, key: JobKey, runs: Sequence[Run]) -> JobKey | None:
    """The job whose runs ended right before nearly all of the latest runs of another began."""
    starts = [run.began_at for run in runs if run.parent_uid is None][-_LED_STARTS:]
    if len(starts) < _LED_STARTS:
        return None
    ended: Counter[JobKey] = Counter()
    for start in starts:
        ended.update(store.just_ended(start - _RIGHT_AFTER, start + _CLOCKS_APART, _LONGEST_LEAD) - {key})
    for other, times in sorted(ended.items(), key=lambda item: (-item[1], item[0])):
        if times < len(starts) - 1:
            break
        life = store.histories([other], _UPSTREAM_HISTORY)[other]
        within = [run for run in life if starts[0] - _LONGEST_LEAD <= run.began_at <= starts[-1]]
        if len(within) <= len(starts) + 1:  # one that runs all the time has always just ended
            return other
    return None


def first_looks(
    store: Store,
    agenda: Agenda,
    policy: Policy,
    now: datetime,
    known: Mapping[JobKey, Look | None],
    listed: Mapping[str, Sequence[Job]],
) -> dict[JobKey, Look | None]:
    """When the jobs of platforms that were just met have to be looked at for the first time, but for those
    of which it is known. ``listed`` are jobs that are at hand, by instance."""
    found: dict[JobKey, Look | None] = {}
    for instance in agenda.met:
        newest = store.newest_runs(instance)
        for job in listed[instance] if instance in listed else store.jobs(instance):
            if (instance, job.job_id) in known:
                continue
            declared = policy.schedule_of(job.subject, job.name)
            found[instance, job.job_id] = first_look(job, declared, newest.get(job.job_id), policy, now)
    return found
