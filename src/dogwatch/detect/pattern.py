"""What only several runs together show: flapping, double starts, more retries."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from dogwatch.detect.facts import Detection, Facts, JobKey, listing, run_evidence
from dogwatch.detect.pairing import by_hand
from dogwatch.detect.rules import Rulebook, Rules
from dogwatch.model import Finding, Run, Severity, content_id, job_subject
from dogwatch.model.text import one_line, plural

_RARE = 0.05
"""What happened to fewer of the earlier runs than this is unusual for the job."""
_ENOUGH = 10
_LATELY = 3
_NEWEST = 6
"""Double starts are looked for among so many of the newest runs."""
_NEWS = timedelta(days=1)
_CITED = 4


def patterns(facts: Facts, now: datetime, found: Detection, rulebook: Rulebook | None = None) -> None:
    """At most one finding of each kind for each job."""
    rulebook = rulebook or Rulebook()
    for key, history in facts.histories.items():
        if key not in facts.jobs and key[0] in facts.lists_jobs:
            continue  # deleted on its platform
        whole = [run for run in history if run.parent_uid is None]
        if not whole:
            continue
        rules = rulebook.of(job_subject(*key), whole[-1].job_name)
        found.add(_flapping(key, history, rules, found))
        found.add(_twice(key, whole, rules, now, found))
        found.add(_retries(key, history, found))


def _flapping(key: JobKey, history: Sequence[Run], rules: Rules, found: Detection) -> Iterator[Finding]:
    """A job that keeps changing between success and failure, and failed lately."""
    settled = [run for run in history if run.status.good or run.status.bad][-rules.flapping_of :]
    changes = sum(one.status.good != other.status.good for one, other in itertools.pairwise(settled))
    if changes < rules.flapping or not any(run.status.bad for run in settled[-_LATELY:]):
        return
    failed = [run for run in settled if run.status.bad]
    name = one_line(settled[-1].job_name, 80)
    summary = (
        f"{name} alternates: {len(failed)} of its last {len(settled)} runs failed, with {changes} changes"
        f" between success and failure ({rules.flapping} are told)"
    )
    yield _finding("flapping", key, Severity.WARNING, summary, failed[-_CITED:], found)


def _twice(
    key: JobKey, history: Sequence[Run], rules: Rules, now: datetime, found: Detection
) -> Iterator[Finding]:
    """Two runs that began almost together, which this job does not usually do, neither by hand."""
    runs = sorted((run for run in history if not by_hand(run, history)), key=lambda run: run.began_at)
    first_attempts = [run for run in runs if run.attempt == 1]
    pairs = [
        (one, other)
        for one, other in itertools.pairwise(first_attempts)
        if other.began_at - one.began_at <= rules.together
    ]
    fresh = {run.uid for run in first_attempts[-_NEWEST:] if now - run.began_at <= _NEWS}
    news = [pair for pair in pairs if pair[0].uid in fresh]
    before = len(first_attempts) - len(fresh)
    if not news or before < _ENOUGH or (len(pairs) - len(news)) > _RARE * before:
        return
    one, other = news[-1]
    apart = round((other.began_at - one.began_at).total_seconds())
    when = f"within {plural(apart, 'second')}" if apart else "at the same moment"
    summary = (
        f"{one_line(other.job_name, 80)} was started twice {when};"
        f" that happened to {len(pairs) - len(news)} of {plural(before, 'run')} before"
    )
    yield _finding("duplicated", key, Severity.WARNING, summary, [other, one], found)


def _retries(key: JobKey, history: Sequence[Run], found: Detection) -> Iterator[Finding]:
    """A success that needed more tries than the job used to need."""
    settled = [run for run in _last_attempts(history) if not run.status.open]
    if not settled or not settled[-1].status.good:
        return  # a run that failed in the end is told as failed
    tries = [_tries(run) for run in settled]
    before = tries[:-_LATELY]
    if tries[-1] < 1 or len(before) < _ENOUGH:
        return
    if sum(known >= tries[-1] for known in before) > _RARE * len(before):
        return
    again = sum(known >= 1 for known in tries[-_LATELY:]) > 1
    usual = sum(before) / len(before)
    summary = (
        f"{one_line(settled[-1].job_name, 80)} succeeded only after {plural(tries[-1], 'retry', 'retries')};"
        f" its {len(before)} earlier runs needed {usual:.1f} on average"
    )
    severity = Severity.WARNING if again else Severity.INFO
    yield _finding("retries", key, severity, summary, [settled[-1]], found)


def _last_attempts(history: Sequence[Run]) -> list[Run]:
    newest: dict[str, Run] = {}
    for run in history:
        known = newest.get(run.native_run_id)
        newest[run.native_run_id] = run if known is None or run.attempt >= known.attempt else known
    return list(newest.values())


def _tries(run: Run) -> int:
    return max(run.attempt - 1, round(run.metrics.get("retries", 0)))


def _finding(
    rule: str, key: JobKey, severity: Severity, summary: str, cited: Sequence[Run], found: Detection
) -> Finding:
    subject, run = job_subject(*key), cited[-1]
    return Finding(
        rule=rule,
        subject=subject,
        severity=severity,
        summary=summary,
        evidence=found.cite(*(run_evidence(item) for item in cited)),
        fingerprint=content_id([rule, subject]),
        at=run.ended_at or run.began_at,
        url=run.url,
        next_step=run.url or listing(run),
    )
