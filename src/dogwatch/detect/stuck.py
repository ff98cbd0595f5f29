"""Runs that should have ended long ago and are still going."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from dogwatch.detect.facts import Detection, Facts, listing, run_evidence
from dogwatch.model import Finding, Run, Severity, Status, content_id, job_subject
from dogwatch.model.text import one_line, span

_ENOUGH = 5
"""Successful runs that must be known before one can speak of a usual duration."""
_LEEWAY = timedelta(minutes=10)
_NO_HISTORY = timedelta(hours=24)
_SURELY = 3


def stuck(facts: Facts, now: datetime, found: Detection) -> None:
    """One finding for each job with a run that goes on beyond twice its longest recent success."""
    for key, history in facts.histories.items():
        running = [run for run in history if run.status is Status.running and run.started_at is not None]
        if not running:
            continue
        oldest = min(running, key=lambda run: run.began_at)
        done = [took for run in history if run.status.good and (took := run.duration) is not None]
        age = _seen_until(facts, key[0], now) - oldest.began_at
        usual, limit = _limit(done)
        if age <= limit:
            continue
        subject = job_subject(*key)
        certain = usual is not None and age > _SURELY * usual
        found.add(
            [
                Finding(
                    rule="stuck",
                    subject=subject,
                    severity=Severity.ERROR if certain else Severity.WARNING,
                    summary=_sentence(oldest, age, usual),
                    evidence=found.cite(run_evidence(oldest)),
                    fingerprint=content_id(["stuck", subject]),
                    at=oldest.began_at + limit,
                    url=oldest.url,
                    next_step=oldest.url or listing(oldest),
                )
            ]
        )


def _seen_until(facts: Facts, instance: str, now: datetime) -> datetime:
    """The time up to which we know that the run went on: not the present while its platform is blind."""
    for source in facts.sources:
        if source.instance == instance and source.blind_since is not None:
            return source.read_until or source.blind_since
    return now


def _limit(done: Sequence[timedelta]) -> tuple[timedelta | None, timedelta]:
    """The usual duration if enough is known, and the age at which a run counts as stuck."""
    if len(done) < _ENOUGH:
        return None, _NO_HISTORY
    usual = timedelta(seconds=median(took.total_seconds() for took in done))
    return usual, max(2 * usual, usual + _LEEWAY, 1.25 * max(done))


def _sentence(run: Run, age: timedelta, usual: timedelta | None) -> str:
    name = one_line(run.job_name, 80)
    if usual is None:
        return f"{name} has run {span(age.total_seconds())}; too few runs are known to say what is usual"
    return f"{name} has run {span(age.total_seconds())}; it usually takes {span(usual.total_seconds())}"
