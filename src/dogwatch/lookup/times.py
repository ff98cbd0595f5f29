"""What is remembered, looked up for a person: when jobs run, what became of it, what a finding rests on."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from dogwatch.detect import Policy
from dogwatch.detect.course import course, metric_of, sampled
from dogwatch.detect.expect import Past, Window, expect
from dogwatch.detect.ledger import judge
from dogwatch.detect.rules import Rules
from dogwatch.gather.matters import HISTORY, LONG_HISTORY, Agenda, Matter, matter, with_leaders
from dogwatch.model import Basis, Expectation, ExpectationState, Finding, Job, Run, ScheduleKind, Source
from dogwatch.model.ledger import JobKey
from dogwatch.model.report import Explanation, JobTimes, SlotView, Timetable
from dogwatch.model.text import one_line, span
from dogwatch.settings.policy import DECIDES, threshold
from dogwatch.settings.watching import as_yaml
from dogwatch.store import Store

_AHEAD = (1, 8, 40, 400)
"""Days in which the next slots are looked for."""
_ABSENT = frozenset({ExpectationState.missed, ExpectationState.late})
_ABOUT_SLOTS = frozenset({"missed", "late"})
_SLOTS_SHOWN = 12


def timetable(
    store: Store, policy: Policy, text: str | None, limit: int, slots: int, now: datetime
) -> Timetable:
    """When jobs run next and what became of their last slots: of all jobs, or of those that ``text`` names.

    At most ``limit`` jobs, those that are due next first, with so many slots of each kind.
    """
    looks = store.looks()

    def due(key: JobKey) -> tuple[bool, datetime, JobKey]:
        slot = looks[key].slot if key in looks else None
        return slot is None, slot or now, key

    keys = sorted(store.jobs_like(text), key=due)
    sources = store.sources()
    found: list[JobTimes] = []
    for start in range(0, min(limit, len(keys)), 200):
        found += times_of(store, policy, keys[start : min(start + 200, limit)], slots, now, sources)
    found.sort(key=lambda job: (not job.coming, job.coming[0].scheduled_for if job.coming else now, job.name))
    return Timetable(at=now, timezone=policy.timezone, jobs=tuple(found), more=max(0, len(keys) - limit))


def times_of(
    store: Store,
    policy: Policy,
    jobs: Sequence[JobKey],
    slots: int,
    now: datetime,
    sources: Sequence[Source] | None = None,
) -> list[JobTimes]:
    """The slots of these jobs, so many of each kind; at most 200 jobs at a time."""
    known = store.sources() if sources is None else sources
    agenda = Agenda(jobs, known, frozenset(store.job_counts()))
    return _times(store, matter(store, agenda, jobs, policy, now), policy, slots, now)


def _times(store: Store, known: Matter, policy: Policy, slots: int, now: datetime) -> list[JobTimes]:
    facts = known.facts
    judged = judge(known.duty, facts.read_until, facts.skews, policy, now)
    absent = {(slot.instance, slot.job_id) for slot in judged.slots if _unmet_habit(slot)}
    if absent:  # as a round does: what begins when another job is done is not late while that one is
        known = with_leaders(store, known, absent)
        judged = judge(known.duty, facts.read_until, facts.skews, policy, now)
    duty = known.duty
    past: dict[JobKey, list[Expectation]] = {}
    for slot in sorted(judged.slots, key=lambda slot: slot.scheduled_for, reverse=True):
        if slot.scheduled_for <= now:
            past.setdefault((slot.instance, slot.job_id), []).append(slot)
    shown = {key: found[:slots] for key, found in past.items()}
    runs = store.runs_by_uid(slot.run_uid for found in shown.values() for slot in found if slot.run_uid)
    names: dict[str, Mapping[str, str]] = {}
    found: list[JobTimes] = []
    for key, job in facts.jobs.items():
        if job.after and key[0] not in names:
            names[key[0]] = store.job_names(key[0])
        after = [one_line(names[key[0]].get(job_id, job_id), 60) for job_id in job.after]
        behind = duty.pasts.get(key)
        coming = [] if behind is None else _coming(key, behind, facts.skews, policy, slots, now)
        source = next((source for source in facts.sources if source.instance == key[0]), None)
        found.append(
            JobTimes(
                instance=job.instance,
                platform=job.platform,
                job_id=job.job_id,
                name=job.name,
                state=job.state,
                state_reason=job.state_reason,
                told=_told(job, behind, shown.get(key, ()), after),
                after=tuple(after),
                declared=behind is not None and behind.declared is not None,
                problem=judged.expected.unreadable.get(key, ""),
                watched_since=behind.versions[0].valid_from if behind else None,
                read_until=source.read_until if source else None,
                past=tuple(_view(slot, runs) for slot in shown.get(key, ())),
                coming=tuple(_view(slot, {}) for slot in coming),
            )
        )
    return found


def _unmet_habit(slot: Expectation) -> bool:
    return slot.basis is Basis.learned and slot.state in _ABSENT


def _coming(
    key: JobKey, past: Past, skews: Mapping[str, timedelta], policy: Policy, slots: int, now: datetime
) -> list[Expectation]:
    """The next slots, as far as they follow from what is known."""
    found: list[Expectation] = []
    for days in _AHEAD:
        found = expect(
            {key: past},
            Window(now + timedelta(microseconds=1), now + timedelta(days=days)),
            now,
            rulebook=policy.rulebook,
            told=policy.told,
            skews=skews,
            timezone=policy.timezone,
        ).expectations
        if len(found) >= slots:
            break
    return found[:slots]


def _view(slot: Expectation, runs: Mapping[str, Run]) -> SlotView:
    run = runs.get(slot.run_uid or "")
    took = run.duration if run else None
    return SlotView(
        scheduled_for=slot.scheduled_for,
        start_by=slot.start_by,
        state=slot.state,
        basis=slot.basis,
        confidence=slot.confidence,
        reason=slot.reason,
        run_uid=slot.run_uid,
        native_run_id=run.native_run_id if run else "",
        status=run.status if run else None,
        started_at=run.started_at if run else None,
        took_seconds=None if took is None else took.total_seconds(),
    )


def _told(job: Job, past: Past | None, slots: Sequence[Expectation], after: Sequence[str]) -> str:
    """When it runs, in words."""
    schedule = (past.declared if past else None) or job.schedule
    if schedule is not None and schedule.kind is ScheduleKind.interval and schedule.every_seconds:
        return f"every {span(schedule.every_seconds)}"
    if schedule is not None and schedule.expression:
        return f"{one_line(schedule.expression, 80)} {one_line(schedule.timezone, 40)}"
    if after:
        return f"after {', '.join(after)}"
    if slots:
        return f"by habit ({slots[0].confidence:.0%} sure)"
    if schedule is not None and schedule.kind is ScheduleKind.event:
        return "on events"
    return "nobody says when"


def explanations(store: Store, policy: Policy, prefix: str, now: datetime) -> list[Explanation]:
    """Every finding, open or not, whose fingerprint begins so, with what it rests on; the latest first."""
    return [
        _explained(store, policy, finding, first, last, cleared, now)
        for finding, first, last, cleared in store.findings_like(prefix)
    ]


def _explained(
    store: Store,
    policy: Policy,
    finding: Finding,
    first: datetime,
    last: datetime,
    cleared: datetime | None,
    now: datetime,
) -> Explanation:
    instance, _, job_id = finding.subject.partition("/")
    key = (instance, job_id)
    history = store.histories([key], HISTORY).get(key, [])
    if len(history) == HISTORY:  # the weekdays before may explain what is usual
        history = store.histories([key], LONG_HISTORY)[key]
    source = next((source for source in store.sources() if source.instance == instance), None)
    seen = now if source is None or source.read_until is None else source.read_until
    if cleared is not None:  # what came later was not known when it was told
        history, seen = [run for run in history if run.began_at <= last], min(seen, last)
    rules = policy.rulebook.of(finding.subject, history[-1].job_name if history else "")
    known = {item.id: item for item in store.evidence(finding.evidence)}
    evidence = tuple(known[id_] for id_ in finding.evidence if id_ in known)
    metric = metric_of(finding.rule, history)
    return Explanation(
        at=now,
        timezone=policy.timezone,
        finding=finding,
        first_seen=first,
        last_seen=last,
        cleared_at=cleared,
        evidence=evidence,
        course=course(history, metric, rules, policy.zone, seen) if metric else sampled(evidence),
        slots=_slots_about(store, policy, key, last) if finding.rule in _ABOUT_SLOTS else (),
        thresholds=_thresholds(finding.rule, rules),
    )


def _slots_about(store: Store, policy: Policy, key: JobKey, now: datetime) -> tuple[SlotView, ...]:
    """The latest slots of one job at a moment; none if it is not known any more."""
    found = times_of(store, policy, [key], _SLOTS_SHOWN, now)
    return found[0].past if found else ()


def _thresholds(rule: str, rules: Rules) -> dict[str, float | str]:
    """The settings that decide whether a rule speaks, with what holds for the job."""
    values = {name: threshold(name, rules) for name in DECIDES.get(rule, ())}
    return {
        name: float(value) if isinstance(value, (int, float)) else as_yaml(value)
        for name, value in values.items()
    }
