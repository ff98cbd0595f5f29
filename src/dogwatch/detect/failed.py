"""Jobs whose newest settled run did not do its work: failed, timed out, cancelled, or unheard of."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dogwatch.detect.facts import Detection, Facts, JobKey, listing, run_evidence
from dogwatch.model import (
    Finding,
    Job,
    JobState,
    Run,
    ScheduleKind,
    Severity,
    Status,
    content_id,
    job_subject,
)
from dogwatch.model.text import one_line

_FORGOTTEN = timedelta(days=7)
"""A job that nothing starts by itself and that failed longer ago than this is history, not news."""
_CITED = 3


def failed(facts: Facts, now: datetime, found: Detection) -> None:
    """One finding for each job that is broken now; a later success of the same job ends it."""
    for key, history in facts.histories.items():
        job = facts.jobs.get(key)
        if job is None and key[0] in facts.lists_jobs:
            continue  # deleted on its platform: nobody waits for it any more
        _judge(key, job, history, now, found)


def _judge(key: JobKey, job: Job | None, history: Sequence[Run], now: datetime, found: Detection) -> None:
    settled = [run for run in history if run.status is Status.unknown or not run.status.open]
    settled = [run for run in settled if run.status is not Status.skipped]
    if not settled or settled[-1].status.good:
        return
    last = settled[-1]
    streak = _streak(settled)
    rule, severity = _rule(last.status)
    if _asleep(job) or (_unscheduled(job) and now - last.began_at > _FORGOTTEN):
        severity = Severity.INFO
    subject = job_subject(*key)
    found.add(
        [
            Finding(
                rule=rule,
                subject=subject,
                severity=severity,
                summary=_sentence(job, last, len(streak)),
                evidence=found.cite(*(run_evidence(run) for run in reversed(streak[-_CITED:]))),
                fingerprint=content_id([rule, subject]),
                at=streak[0].ended_at or streak[0].began_at,
                url=last.url or (job.url if job else None),
                next_step=_next_step(last),
            )
        ]
    )


def _streak(settled: Sequence[Run]) -> list[Run]:
    """The newest run and those right before it that ended the same way, oldest first."""
    streak: list[Run] = []
    for run in reversed(settled):
        if _rule(run.status)[0] != _rule(settled[-1].status)[0]:
            break
        streak.append(run)
    return streak[::-1]


def _rule(status: Status) -> tuple[str, Severity]:
    if status is Status.cancelled:
        return "cancelled", Severity.WARNING
    if status is Status.unknown:
        return "unknown_status", Severity.WARNING
    return ("failed", Severity.ERROR) if status.bad else ("", Severity.INFO)


def _sentence(job: Job | None, last: Run, times: int) -> str:
    name = one_line(job.name if job else last.job_name, 80)
    if last.status is Status.unknown:
        native = one_line(last.native_status, 60)
        return f"{name} is in state “{native}”, a word dogwatch does not know; nothing is claimed about it"
    verb = {Status.timed_out: "timed out", Status.cancelled: "was cancelled"}.get(last.status, "failed")
    often = f" {times} times in a row" if times > 1 else ""
    said = one_line(last.error_message or "")
    why = f": {said}" if said else f" ({one_line(last.native_status, 60)}; the platform gives no reason)"
    return f"{name} {verb}{often}{why}"


def _next_step(last: Run) -> str:
    command = listing(last)
    return f"{last.url}  or: {command}" if last.url else command


def _asleep(job: Job | None) -> bool:
    return job is not None and job.state in {JobState.paused, JobState.deleted}


def _unscheduled(job: Job | None) -> bool:
    return job is None or job.schedule is None or job.schedule.kind is ScheduleKind.manual
