"""Runs that take much longer or shorter than the job usually does, while they run and once they ended."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from pydantic import JsonValue

from dogwatch.detect.baseline import Baseline, Judgement, Limits
from dogwatch.detect.facts import Detection, Facts, JobKey, listing, run_evidence
from dogwatch.detect.rules import Rulebook, Rules
from dogwatch.model import Evidence, EvidenceKind, Finding, Run, Severity, Status, content_id, job_subject
from dogwatch.model.text import one_line, span

_PLOTTED = 40
_NO_HISTORY = timedelta(hours=24)
_FEW = 5
_LEEWAY = timedelta(minutes=10)
_HANGS = 3.0
"""A run that goes on so many times longer than usual hardly ends by itself."""
_TWICE = 2.0
"""A run that takes less than so many times as long as usual harms few: once it is a note, twice in a row a
warning."""
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
        seen = facts.last_sight(key[0], now)
        lengths = durations(history)
        rules = rulebook.of(job_subject(*key), history[-1].job_name)
        going = min((run for run in history if run.status is Status.running), key=_began, default=None)
        if going is not None and seen is not None:
            age = seen - going.began_at
            if _judge_running(key, going, age, lengths, rules, zone, found):
                continue
        done, _ = lengths
        over = max((run for run in history if not run.status.open), key=_began, default=None)
        if done and done[-1] is over:  # the next one may be under way; it says nothing yet
            _judge_ended(key, lengths, rules, zone, found)


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
    key: JobKey, run: Run, age: timedelta, known: Lengths, rules: Rules, zone: tzinfo, found: Detection
) -> bool:
    """Whether a run of that age, still going when its platform was last seen, goes on for too long."""
    baseline = Baseline(rules.duration, zone)
    baseline.learn(known[1])
    if baseline.usual(run.began_at.timestamp()) is None:
        return _judge_by_few(key, run, age, known, found)
    judgement = baseline.judge(run.began_at.timestamp(), max(1.0, age.total_seconds()))
    if judgement is None or not judgement.high:
        return False
    if judgement.value - judgement.usual < rules.slower_by.total_seconds():
        return False
    severity = Severity.ERROR if judgement.ratio > _HANGS else Severity.WARNING
    if judgement.ratio < _told_from(rules):
        severity = Severity.INFO
    _tell(key, run, judgement, known, severity, found)
    return True


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
            or (judgement.ratio >= _told_from(rules) and per_day([at for at, _ in points]) <= rules.often)
        )
        _tell(key, done[-1], judgement, before, Severity.WARNING if sure else Severity.INFO, found)


def _told_from(rules: Rules) -> float:
    """So many times longer than usual is worth a warning; whoever sets a border is told from it on."""
    return _TWICE if rules.duration == Limits() else 1.0


def per_day(moments: Sequence[float]) -> float:
    """How often something happens a day, by the last 21 of its moments (epoch seconds, ascending)."""
    recent = moments[-21:]
    lasted = recent[-1] - recent[0] if recent else 0.0
    return (len(recent) - 1) * 86_400 / lasted if lasted > 0 else 0.0


def _judge_by_few(key: JobKey, run: Run, age: timedelta, known: Lengths, found: Detection) -> bool:
    """The same where too little is known for a baseline: then only what is out of all proportion is told."""
    done, points = known
    lengths = sorted(timedelta(seconds=length) for _, length in points)
    limit, usual, said = _NO_HISTORY, None, "too few runs are known to say what is usual"
    if len(lengths) >= _FEW:
        usual = lengths[len(lengths) // 2]
        limit = max(2 * usual, usual + _LEEWAY, 1.25 * lengths[-1])
        said = f"it usually takes {span(usual.total_seconds())} ({len(lengths)} runs)"
    if age <= limit:
        return False
    subject, lasted = job_subject(*key), span(age.total_seconds())
    found.add(
        [
            Finding(
                rule="slow",
                subject=subject,
                severity=Severity.ERROR if usual and age > _HANGS * usual else Severity.WARNING,
                summary=f"{one_line(run.job_name, 80)} has run {lasted}; {said}",
                evidence=found.cite(run_evidence(run), *(run_evidence(other) for other in done[-_FEW:])),
                fingerprint=content_id(["slow", subject]),
                at=run.began_at + limit,
                url=run.url,
                next_step=run.url or listing(run),
            )
        ]
    )
    return True


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
