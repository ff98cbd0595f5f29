"""Runs that a platform skipped, and whether that follows from something that is told anyway."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from dogwatch.detect.expect import Past
from dogwatch.detect.facts import Detection, Facts, JobKey, listing, run_evidence
from dogwatch.model import Finding, Run, Severity, Status, content_id, job_subject
from dogwatch.model.text import one_line, plural

AT_ONCE = timedelta(seconds=60)
"""A skip so soon after something else went wrong follows from it, as far as anybody can say."""
_RARE = 0.05
"""A job that is skipped more often than this is skipped as a matter of course."""
_ENOUGH = 10
_CITED = 4


def skipped(facts: Facts, pasts: Mapping[JobKey, Past], found: Detection) -> None:
    """One finding for each job whose newest run was skipped, which does not happen to it as a rule.

    It is a note where the reason is known: its run before is still going, or its predecessor did badly.
    """
    for key, history in facts.histories.items():
        if key not in facts.jobs and key[0] in facts.lists_jobs:
            continue  # deleted on its platform
        runs = [run for run in history if run.parent_uid is None]
        streak = skips_at_the_end(runs)
        before = [run for run in runs if not run.status.open][: -len(streak)] if streak else []
        often = sum(run.status is Status.skipped for run in before)
        if len(before) < _ENOUGH or often > _RARE * len(before):
            continue
        past = pasts.get(key)
        cause = _cause(streak[-1], runs, past.upstreams if past else (), facts.troubles)
        _tell(key, streak, cause, f"{often} of {plural(len(before), 'run')} before", found)


def skips_at_the_end(history: Sequence[Run]) -> list[Run]:
    """The skipped runs after the last settled one that was not, oldest first."""
    streak: list[Run] = []
    for run in reversed(history):
        if run.status is Status.skipped:
            streak.append(run)
        elif not run.status.open:
            break
    return streak[::-1]


def _cause(
    skip: Run, own: Sequence[Run], upstreams: Sequence[Sequence[Run]], troubles: Sequence[Run]
) -> Run | None:
    """The run from which the skip follows: its own that was still going, a predecessor's that did badly, or,
    no predecessor is known, whatever went wrong right before."""
    moment = skip.began_at
    for run in reversed(own):
        if run.status is not Status.skipped and run.began_at < moment and not _over(run, moment):
            return run
    for life in upstreams:
        last = max(
            (run for run in life if run.began_at <= moment), key=lambda run: run.began_at, default=None
        )
        if last is not None and not last.status.good:
            return last
    if upstreams:
        return None
    near = [
        (run.status is Status.skipped, apart, run.uid, run)
        for run in troubles
        if (run.instance, run.job_id) != (skip.instance, skip.job_id)
        and (apart := abs(moment - (run.ended_at or run.began_at))) <= AT_ONCE
    ]
    return min(near)[-1] if near else None


def _over(run: Run, moment: datetime) -> bool:
    return run.ended_at is not None and run.ended_at <= moment


def _tell(key: JobKey, streak: Sequence[Run], cause: Run | None, before: str, found: Detection) -> None:
    subject, run = job_subject(*key), streak[-1]
    often = f" {len(streak)} times in a row" if len(streak) > 1 else ""
    why = one_line(run.error_message or run.native_status, 120)
    summary = f"{one_line(run.job_name, 80)} was skipped by its platform{often} ({why})"
    cited = [run_evidence(item) for item in streak[-_CITED:]]
    if cause is None:
        summary += f"; that happened to {before}"
    elif (cause.instance, cause.job_id) == key:
        summary += "; its run before was still going"
    else:
        summary += f", right after {one_line(cause.job_name, 80)} {_did(cause)}"
    if cause is not None:
        cited.append(run_evidence(cause))
    found.add(
        [
            Finding(
                rule="skipped",
                subject=subject,
                severity=Severity.WARNING if cause is None else Severity.INFO,
                summary=summary,
                evidence=found.cite(*cited),
                fingerprint=content_id(["skipped", subject]),
                at=streak[0].ended_at or streak[0].began_at,
                url=run.url,
                next_step=run.url or listing(run),
            )
        ]
    )


def _did(run: Run) -> str:
    return {
        Status.failed: "failed",
        Status.timed_out: "timed out",
        Status.cancelled: "was cancelled",
        Status.skipped: "was skipped",
    }.get(run.status, "did not succeed")
