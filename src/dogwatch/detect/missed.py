"""Runs that never came, came late, or cannot be waited for."""

import itertools
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta, tzinfo

from pydantic import JsonValue

from dogwatch.detect.expect import Expected, Past
from dogwatch.detect.facts import Detection, JobKey, run_evidence, slots_of
from dogwatch.detect.match import known_by
from dogwatch.model import (
    Basis,
    Evidence,
    EvidenceKind,
    Expectation,
    ExpectationState,
    Finding,
    Job,
    Run,
    Severity,
    content_id,
    job_subject,
)
from dogwatch.model.text import one_line, span

_OPEN_ENDED = frozenset({ExpectationState.waiting, ExpectationState.unseen, ExpectationState.excused})
"""States that say nothing about whether the job still comes."""
_NOT_ALONE = timedelta(hours=6)
"""One missed slot of a job that is due more often than this is a warning; two in a row are an error."""
_SURE = 0.9
_MUCH_TOO_LATE = timedelta(minutes=10)
_NAMED = 3


def missed(
    ledger: Sequence[Expectation],
    pasts: Mapping[JobKey, Past],
    told_before: AbstractSet[str],
    found: Detection,
    zone: tzinfo = UTC,
) -> None:
    """One finding for each job whose last slots nothing met, or that missed a slot not yet told of.

    ``ledger`` comes from ``match``. ``told_before`` holds the ids of the expectations that earlier rounds
    told as missed or late: a miss that is over is told once, one that goes on until the job comes again.
    ``zone`` is the reader's.
    """
    for key, slots in _by_job(ledger).items():
        settled = [slot for slot in slots if slot.state not in _OPEN_ENDED]
        going_on = _tail(settled)
        fresh = [slot for slot in settled if slot.state is ExpectationState.missed]
        fresh = [slot for slot in fresh if slot.id not in told_before and slot not in going_on]
        told = [*fresh, *going_on]
        if told:
            _tell_missed(told, bool(going_on), slots, pasts[key], found, zone)


def late(
    ledger: Sequence[Expectation],
    pasts: Mapping[JobKey, Past],
    told_before: AbstractSet[str],
    found: Detection,
    zone: tzinfo = UTC,
) -> None:
    """One finding for each job whose newest run began late and is not over, or whose lateness is news."""
    for key, slots in _by_job(ledger).items():
        runs = {run.uid: run for run in pasts[key].runs}
        settled = [slot for slot in slots if slot.state not in _OPEN_ENDED]
        lates = [slot for slot in settled if slot.state is ExpectationState.late]
        if not lates:
            continue
        slot = lates[-1]
        run = runs.get(slot.run_uid or "")
        goes_on = slot is settled[-1] and run is not None and run.status.open
        if run is not None and (goes_on or slot.id not in told_before):
            _tell_late(slot, run, pasts[key], found, zone)


def unreadable(expected: Expected, jobs: Mapping[JobKey, Job], found: Detection) -> None:
    """One note for each job whose schedule is not understood: nobody waits for its runs."""
    for key, why in expected.unreadable.items():
        job, subject = jobs[key], job_subject(*key)
        content: dict[str, JsonValue] = {"problem": why}
        if job.schedule is not None:
            content["schedule"] = job.schedule.model_dump(mode="json")
        evidence = Evidence.of(
            EvidenceKind.run, source=job.instance, subject=subject, content=content, at=job.observed_at
        )
        found.add(
            [
                Finding(
                    rule="schedule_unreadable",
                    subject=subject,
                    severity=Severity.INFO,
                    summary=f"{one_line(job.name, 80)} has a schedule that dogwatch cannot read"
                    f" ({one_line(why, 120)}); a run that does not come will not be noticed",
                    evidence=found.cite(evidence),
                    fingerprint=content_id(["schedule_unreadable", subject]),
                    at=job.observed_at,
                    url=job.url,
                    next_step="declare its schedule in dogwatch.yaml",
                )
            ]
        )


def _by_job(ledger: Sequence[Expectation]) -> dict[JobKey, list[Expectation]]:
    jobs: dict[JobKey, list[Expectation]] = {}
    for slot in sorted(ledger, key=lambda slot: slot.scheduled_for):
        jobs.setdefault((slot.instance, slot.job_id), []).append(slot)
    return jobs


def _tail(settled: Sequence[Expectation]) -> list[Expectation]:
    """The missed slots after the last one that a run met."""
    tail: list[Expectation] = []
    for slot in reversed(settled):
        if slot.state is not ExpectationState.missed:
            break
        tail.append(slot)
    return tail[::-1]


def _tell_missed(
    told: Sequence[Expectation],
    goes_on: bool,
    slots: Sequence[Expectation],
    past: Past,
    found: Detection,
    zone: tzinfo,
) -> None:
    first, job = told[0], past.versions[-1].job
    last = _last_run_before(first, past.runs)
    evidence = [_expected_evidence(slot, last) for slot in told[:_NAMED]]
    if last is not None:
        evidence.append(run_evidence(last))
    found.add(
        [
            Finding(
                rule="missed",
                subject=first.subject,
                severity=_severity(told, goes_on, slots),
                summary=_missed_sentence(told, goes_on, last, zone),
                evidence=found.cite(*evidence),
                fingerprint=content_id(["missed", first.subject]),
                at=first.scheduled_for,
                url=job.url,
                next_step=_next_step(job),
            )
        ]
    )


def _severity(told: Sequence[Expectation], goes_on: bool, slots: Sequence[Expectation]) -> Severity:
    if told[0].basis is Basis.learned:
        return Severity.WARNING if told[0].confidence >= _SURE or len(told) > 1 else Severity.INFO
    gaps = [later.scheduled_for - slot.scheduled_for for slot, later in itertools.pairwise(slots)]
    often = bool(gaps) and min(gaps) < _NOT_ALONE
    return Severity.WARNING if not goes_on or (often and len(told) == 1) else Severity.ERROR


def _missed_sentence(told: Sequence[Expectation], goes_on: bool, last: Run | None, zone: tzinfo) -> str:
    name = one_line(told[0].job_name, 80)
    when = ", ".join(_clock(slot.scheduled_for, zone) for slot in told[:_NAMED])
    more = f" and {len(told) - _NAMED} times more" if len(told) > _NAMED else ""
    allowed = span((told[0].start_by - told[0].scheduled_for).total_seconds())
    length = (known_by(told[0]) - told[0].start_by).total_seconds()
    verb = "did not start at"
    if length > 0:  # the platform shows runs that have ended; one that goes on would not be known
        verb = "did not start, or did not end yet, at"
        allowed = f"{allowed} to start and {span(length)} to run are"
    why = {
        Basis.learned: f", as it has by habit ({told[0].confidence:.0%} sure)",
        Basis.upstream: ", when what it waits for was done",
    }.get(told[0].basis, "")
    since = f"its last run began {_clock(last.began_at, zone)}" if last else "no run of it is known"
    over = "" if goes_on else "; it has come again since"
    return f"{name} {verb} {when}{more}{why} ({allowed} allowed; {since}){over}"


def _clock(moment: datetime, zone: tzinfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%d %b %H:%M} {local.tzname() or 'UTC'}"


def _last_run_before(slot: Expectation, runs: Sequence[Run]) -> Run | None:
    before = [run for run in runs if run.began_at < slot.scheduled_for]
    return max(before, key=lambda run: (run.began_at, run.uid), default=None)


def _expected_evidence(slot: Expectation, last: Run | None) -> Evidence:
    """The run that should be there as something to cite: what was expected and that nothing met it."""
    content: dict[str, JsonValue] = {
        "expected": slot.scheduled_for.isoformat(),
        "start_by": slot.start_by.isoformat(),
        "known_by": known_by(slot).isoformat(),
        "basis": slot.basis.value,
        "state": slot.state.value,
        "run": slot.run_uid,
        "last_run_before": last.uid if last else None,
    }
    if slot.basis is Basis.learned:
        content["confidence"] = round(slot.confidence, 3)
    return Evidence.of(
        EvidenceKind.run,
        source=slot.instance,
        subject=slot.subject,
        content=content,
        at=slot.scheduled_for,
    )


def _tell_late(slot: Expectation, run: Run, past: Past, found: Detection, zone: tzinfo) -> None:
    allowed = slot.start_by - slot.scheduled_for
    name, due = one_line(slot.job_name, 80), _clock(slot.scheduled_for, zone)
    if run.started_at is None:
        behind = f"was due at {due} and still waits to start"
        delay = _MUCH_TOO_LATE
    else:
        delay = run.started_at - slot.scheduled_for
        behind = (
            f"started {_clock(run.started_at, zone)}, {span(delay.total_seconds())} after its time ({due})"
        )
    grave = delay >= _MUCH_TOO_LATE and slot.basis is not Basis.learned
    found.add(
        [
            Finding(
                rule="late",
                subject=slot.subject,
                severity=Severity.WARNING if grave else Severity.INFO,
                summary=f"{name} {behind}; by its own starts {span(allowed.total_seconds())} are allowed",
                evidence=found.cite(_expected_evidence(slot, None), run_evidence(run)),
                fingerprint=content_id(["late", slot.subject]),
                at=slot.scheduled_for,
                url=run.url,
                next_step=_next_step(past.versions[-1].job),
            )
        ]
    )


def _next_step(job: Job) -> str:
    command = slots_of(job)
    return f"{job.url}  or: {command}" if job.url else command
