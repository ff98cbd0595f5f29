"""Runs that take much longer or shorter than the job usually does, while they run and once they ended."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo

from pydantic import JsonValue

from dogwatch.detect.baseline import Baseline, Judgement
from dogwatch.detect.facts import Detection, Facts, JobKey, listing, run_evidence
from dogwatch.detect.rules import Rulebook, Rules
from dogwatch.model import Evidence, EvidenceKind, Finding, Run, Severity, Status, content_id, job_subject
from dogwatch.model.text import one_line, span

_PLOTTED = 40


def slow(
    facts: Facts, now: datetime, found: Detection, rulebook: Rulebook | None = None, zone: tzinfo = UTC
) -> None:
    """One finding for each job whose newest run is slow or suspiciously fast; a later usual run ends it.

    The baseline is made of the successes before the run in question; ``zone`` is the one in which months end.
    """
    rulebook = rulebook or Rulebook()
    for key, history in facts.histories.items():
        if key not in facts.jobs and key[0] in facts.lists_jobs:
            continue  # deleted on its platform
        done = [run for run in history if run.status.good and _seconds(run) > 0]
        last = max(history, key=lambda run: run.began_at, default=None)
        if last is None or not done:
            continue
        rules = rulebook.of(job_subject(*key), last.job_name)
        if last.status is Status.running and last.started_at is not None:
            _judge_running(key, last, done, rules, zone, now, found)
        elif last is done[-1]:
            _judge_ended(key, done, rules, zone, found)


def durations(runs: Iterable[Run]) -> list[tuple[float, float]]:
    """(epoch seconds of the start, seconds) of runs that have ended, as ``Baseline`` learns them."""
    return [(run.began_at.timestamp(), took) for run in runs if (took := _seconds(run)) > 0]


def _seconds(run: Run) -> float:
    took = run.duration
    return 0.0 if took is None else took.total_seconds()


def _judge_running(
    key: JobKey, run: Run, done: Sequence[Run], rules: Rules, zone: tzinfo, now: datetime, found: Detection
) -> None:
    began = run.began_at.timestamp()
    age = (now - run.began_at).total_seconds()
    if age <= 0:
        return
    baseline = Baseline(rules.duration, zone)
    baseline.learn(durations(earlier for earlier in done if earlier is not run))
    judgement = baseline.judge(began, age)
    if judgement is None or not judgement.high or age - judgement.usual < rules.slower_by.total_seconds():
        return
    _tell(key, run, judgement, done, Severity.WARNING, found)


def _judge_ended(key: JobKey, done: Sequence[Run], rules: Rules, zone: tzinfo, found: Detection) -> None:
    points = durations(done)
    baseline = Baseline(rules.duration, zone)
    earlier = {index for index, judgement in baseline.learn(points[:-1]) if judgement.high}
    judgement = baseline.judge(*points[-1])
    if judgement is None:
        return
    if not judgement.high:
        _tell(key, done[-1], judgement, done[:-1], Severity.INFO, found)
    elif judgement.value - judgement.usual >= rules.slower_by.total_seconds():
        sure = (
            judgement.ratio >= rules.sure_ratio
            or len(points) - 2 in earlier
            or per_day([at for at, _ in points]) <= rules.often
        )
        _tell(key, done[-1], judgement, done[:-1], Severity.WARNING if sure else Severity.INFO, found)


def per_day(moments: Sequence[float]) -> float:
    """How often something happens a day, by the last 21 of its moments (epoch seconds, ascending)."""
    recent = moments[-21:]
    lasted = recent[-1] - recent[0] if recent else 0.0
    return (len(recent) - 1) * 86_400 / lasted if lasted > 0 else 0.0


def _tell(
    key: JobKey, run: Run, judgement: Judgement, known: Sequence[Run], severity: Severity, found: Detection
) -> None:
    subject = job_subject(*key)
    rule = "slow" if judgement.high else "fast"
    found.add(
        [
            Finding(
                rule=rule,
                subject=subject,
                severity=severity,
                summary=_sentence(run, judgement),
                evidence=found.cite(run_evidence(run), _numbers(run, judgement, known)),
                fingerprint=content_id([rule, subject]),
                at=run.ended_at or run.began_at,
                url=run.url,
                next_step=run.url or listing(run),
            )
        ]
    )


def _sentence(run: Run, judgement: Judgement) -> str:
    name, took = one_line(run.job_name, 80), span(judgement.value)
    verb = f"has run {took}" if run.ended_at is None else f"took {'' if judgement.high else 'only '}{took}"
    usual = f"it usually takes {span(judgement.usual)}"
    border = f"{'more' if judgement.high else 'less'} than {span(judgement.limit)} is unusual"
    return f"{name} {verb}; {usual} (p99 {span(judgement.p99)}, {judgement.known} runs; {border})"


def _numbers(run: Run, judgement: Judgement, known: Sequence[Run]) -> Evidence:
    """The baseline as something to cite: the numbers that the verdict rests on, and the latest durations."""
    recent: list[JsonValue] = [round(_seconds(earlier), 1) for earlier in known[-_PLOTTED:]]
    return Evidence.of(
        EvidenceKind.metric,
        source=run.instance,
        subject=job_subject(run.instance, run.job_id),
        content={
            "metric": "duration_seconds",
            "usual": round(judgement.usual, 1),
            "limit": round(judgement.limit, 1),
            "p99": round(judgement.p99, 1),
            "spread": round(judgement.spread, 3),
            "runs": judgement.known,
            "recent": recent,
        },
        at=run.began_at,
    )
