"""Runs that take much longer or shorter than the job usually does, while they run and once they ended."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from pydantic import JsonValue

from dogwatch.detect.baseline import Baseline, Judgement
from dogwatch.detect.facts import Detection, Facts, JobKey, listing, run_evidence
from dogwatch.detect.rules import Rulebook, Rules
from dogwatch.model import Evidence, EvidenceKind, Finding, Run, Severity, Status, content_id, job_subject
from dogwatch.model.text import one_line, span

_PLOTTED = 40
_GOOD = frozenset({Status.success, Status.warned})


def slow(
    facts: Facts, now: datetime, found: Detection, rulebook: Rulebook | None = None, zone: tzinfo = UTC
) -> None:
    """One finding for each job whose newest run is slow or suspiciously fast; a later usual run ends it.

    The baseline is made of the successes before the run in question; ``zone`` is the one in which months end.
    """
    rulebook = rulebook or Rulebook()
    for key, history in facts.histories.items():
        if not history or (key not in facts.jobs and key[0] in facts.lists_jobs):
            continue  # deleted on its platform
        last = max(history, key=_began)
        done, points = durations(history)
        if not done or not (last is done[-1] or last.status is Status.running):
            continue
        rules = rulebook.of(job_subject(*key), last.job_name)
        if last.status is Status.running and last.started_at is not None:
            age = (now - last.started_at).total_seconds()
            _judge_running(key, last, age, (done, points), rules, zone, found)
        elif last is done[-1]:
            _judge_ended(key, (done, points), rules, zone, found)


Lengths = tuple[list[Run], list[tuple[float, float]]]


def durations(history: Sequence[Run]) -> Lengths:
    """The successes that took any time, and (epoch seconds of the start, seconds) of each."""
    done: list[Run] = []
    points: list[tuple[float, float]] = []
    for run in history:
        begun, ended = run.started_at, run.ended_at
        if run.status in _GOOD and begun is not None and ended is not None and ended > begun:
            done.append(run)
            points.append((begun.timestamp(), (ended - begun).total_seconds()))
    return done, points


def _began(run: Run) -> datetime:
    return run.began_at


def _judge_running(
    key: JobKey, run: Run, age: float, known: Lengths, rules: Rules, zone: tzinfo, found: Detection
) -> None:
    if age <= 0:
        return
    done, points = known
    baseline = Baseline(rules.duration, zone)
    baseline.learn(points)
    judgement = baseline.judge(run.began_at.timestamp(), age)
    if judgement is None or not judgement.high or age - judgement.usual < rules.slower_by.total_seconds():
        return
    _tell(key, run, judgement, (done, points), Severity.WARNING, found)


def _judge_ended(key: JobKey, known: Lengths, rules: Rules, zone: tzinfo, found: Detection) -> None:
    done, points = known
    before = (done[:-1], points[:-1])
    baseline = Baseline(rules.duration, zone)
    earlier = {index for index, judgement in baseline.learn(before[1]) if judgement.high}
    judgement = baseline.judge(*points[-1])
    if judgement is None:
        return
    if not judgement.high:
        _tell(key, done[-1], judgement, before, Severity.INFO, found)
    elif judgement.value - judgement.usual >= rules.slower_by.total_seconds():
        sure = (
            judgement.ratio >= rules.sure_ratio
            or len(points) - 2 in earlier
            or per_day([at for at, _ in points]) <= rules.often
        )
        _tell(key, done[-1], judgement, before, Severity.WARNING if sure else Severity.INFO, found)


def per_day(moments: Sequence[float]) -> float:
    """How often something happens a day, by the last 21 of its moments (epoch seconds, ascending)."""
    recent = moments[-21:]
    lasted = recent[-1] - recent[0] if recent else 0.0
    return (len(recent) - 1) * 86_400 / lasted if lasted > 0 else 0.0


def _tell(
    key: JobKey, run: Run, judgement: Judgement, known: Lengths, severity: Severity, found: Detection
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


def _numbers(run: Run, judgement: Judgement, known: Lengths) -> Evidence:
    """The baseline as something to cite: the numbers that the verdict rests on, and the latest durations."""
    recent: list[JsonValue] = [round(took, 1) for _, took in known[1][-_PLOTTED:]]
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
