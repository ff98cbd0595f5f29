"""Runs that succeeded and moved nothing, much less, or much more than the job usually does."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from pydantic import JsonValue

from dogwatch.detect.baseline import Baseline, Judgement
from dogwatch.detect.facts import Detection, Facts, JobKey, listing, run_evidence
from dogwatch.detect.rules import Rulebook, Rules
from dogwatch.detect.slow import per_day
from dogwatch.model import Evidence, EvidenceKind, Finding, Run, Severity, content_id, job_subject
from dogwatch.model.text import one_line, plural

_METRICS = ("rows", "bytes")
_ENOUGH = 10
_UNLIKELY = 0.035
"""So many empty runs in a row are told if, by how often the job was empty before, they are no likelier."""
_RECENT = 120
_HARDLY_ANY = 10.0
"""So many times less than usual is as bad as nothing."""
_PLOTTED = 40
_MOSTLY = 0.5


def volume(
    facts: Facts, now: datetime, found: Detection, rulebook: Rulebook | None = None, zone: tzinfo = UTC
) -> None:
    """One finding for each job whose newest success moved an unusual volume; a later usual one ends it.

    Rows are asked first; bytes only where the platform tells no rows.
    """
    rulebook = rulebook or Rulebook()
    for key, history in facts.histories.items():
        if key not in facts.jobs and key[0] in facts.lists_jobs:
            continue  # deleted on its platform
        for metric in _METRICS:
            told = [run for run in history if run.status.good and metric in run.metrics]
            if told:
                rules = rulebook.of(job_subject(*key), told[-1].job_name)
                _judge(key, told[-_RECENT:], metric, rules, zone, found)
                break


def _judge(
    key: JobKey, told: Sequence[Run], metric: str, rules: Rules, zone: tzinfo, found: Detection
) -> None:
    values = [run.metrics[metric] for run in told]
    if values[-1] <= 0:
        _judge_empty(key, told, values, metric, zone, found)
        return
    least = rules.least_rows if metric == "rows" else rules.least_bytes
    # The reciprocal turns "too little" into the side on which a baseline looks closely.
    points = [
        (run.began_at.timestamp(), 1 / value) for run, value in zip(told, values, strict=True) if value > 0
    ]
    baseline = Baseline(rules.volume, zone)
    earlier = {index for index, unusual in baseline.learn(points[:-1]) if unusual.high}
    judgement = baseline.judge(*points[-1])
    if judgement is None or 1 / judgement.usual < least:
        return
    few = judgement.high
    sure = (
        judgement.ratio >= rules.sure_ratio
        or len(points) - 2 in earlier
        or per_day([at for at, _ in points]) <= rules.often
    )
    severity = Severity.ERROR if judgement.ratio >= _HARDLY_ANY else Severity.WARNING
    severity = severity if few and sure else Severity.INFO
    rule = "few_rows" if few else "many_rows"
    if metric != "rows":
        rule = "few_bytes" if few else "many_bytes"
    _tell(
        key, told, rule, severity, _sentence(told[-1], metric, judgement), _content(judgement, metric), found
    )


def _judge_empty(
    key: JobKey, told: Sequence[Run], values: Sequence[float], metric: str, zone: tzinfo, found: Detection
) -> None:
    """A success with nothing in it is told unless the job is now and then, or on this weekday, empty."""
    streak = next((n for n, value in enumerate(reversed(values)) if value > 0), len(values))
    days = [run.began_at.astimezone(zone).weekday() for run in told]
    before = list(zip(days, values, strict=True))[: len(values) - streak]
    off = _empty_weekdays(before)
    if days[-1] in off or len(before) < _ENOUGH:
        return
    before = [(day, value) for day, value in before if day not in off]
    empty = sum(value <= 0 for _, value in before)
    chance = ((empty + 1) / (len(before) + 2)) ** streak
    if empty and chance > _UNLIKELY:
        return
    name = one_line(told[-1].job_name, 80)
    moved = sorted(value for _, value in before if value > 0)
    usual = moved[len(moved) // 2]
    often = f" {streak} times in a row" if streak > 1 else ""
    seen = f"{empty or 'none'} of {len(before)} successes before were empty"
    _tell(
        key,
        told,
        "empty",
        Severity.WARNING if empty else Severity.ERROR,
        f"{name} succeeded{often} with no {metric}; it usually moves {_amount(usual, metric)} ({seen})",
        {"metric": metric, "usual": usual, "runs": len(before), "empty_before": empty, "in_a_row": streak},
        found,
    )


def _empty_weekdays(before: Sequence[tuple[int, float]]) -> set[int]:
    """The weekdays on which the job is empty more often than not."""
    of = Counter(day for day, _ in before)
    empty = Counter(day for day, value in before if value <= 0)
    return {day for day in of if empty[day] > _MOSTLY * of[day]}


def _tell(
    key: JobKey,
    told: Sequence[Run],
    rule: str,
    severity: Severity,
    summary: str,
    numbers: dict[str, JsonValue],
    found: Detection,
) -> None:
    run, subject = told[-1], job_subject(*key)
    metric = str(numbers["metric"])
    recent: list[JsonValue] = [earlier.metrics[metric] for earlier in told[-_PLOTTED - 1 : -1]]
    evidence = Evidence.of(
        EvidenceKind.metric,
        source=run.instance,
        subject=subject,
        content={**numbers, "recent": recent},
        at=run.began_at,
    )
    found.add(
        [
            Finding(
                rule=rule,
                subject=subject,
                severity=severity,
                summary=summary,
                evidence=found.cite(run_evidence(run), evidence),
                fingerprint=content_id([rule, subject]),
                at=run.ended_at or run.began_at,
                url=run.url,
                next_step=run.url or listing(run),
            )
        ]
    )


def _sentence(run: Run, metric: str, judgement: Judgement) -> str:
    name = one_line(run.job_name, 80)
    moved, usual = _amount(1 / judgement.value, metric), _amount(1 / judgement.usual, metric)
    side = "fewer" if judgement.high else "more"
    border = f"{side} than {_amount(1 / judgement.limit, metric)} are unusual"
    return f"{name} moved {moved}; it usually moves {usual} ({plural(judgement.known, 'run')}; {border})"


def _content(judgement: Judgement, metric: str) -> dict[str, JsonValue]:
    return {
        "metric": metric,
        "usual": round(1 / judgement.usual),
        "limit": round(1 / judgement.limit),
        "spread": round(judgement.spread, 3),
        "runs": judgement.known,
    }


def _amount(value: float, metric: str) -> str:
    if metric == "rows":
        return plural(round(value), "row")
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:,.0f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"
