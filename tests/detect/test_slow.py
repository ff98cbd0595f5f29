"""Slow and fast runs, ended or still going."""

from collections.abc import Sequence
from datetime import timedelta

from dogwatch.detect.baseline import Limits
from dogwatch.detect.facts import Detection, Facts
from dogwatch.detect.rules import Rulebook, Rules
from dogwatch.detect.slow import slow
from dogwatch.model import EvidenceKind, Finding, Run, Severity, Status
from support.nights import a_run_at, at, daily, runs_at, took, varied

KEY = ("airbyte", "orders")
CALM = varied(40, 22, spread=0.08)


def judge(runs: Sequence[Run], rulebook: Rulebook | None = None, hour: float = 12) -> list[Finding]:
    found = Detection()
    slow(Facts({}, {KEY: runs}, []), at(hour, 40), found, rulebook)
    assert all(set(finding.evidence) <= set(found.evidence) for finding in found.findings)
    return found.findings


def test_a_slow_run_is_told_with_the_numbers_it_rests_on() -> None:
    runs = took([*CALM, 48])
    (finding,) = judge(runs)
    assert finding.rule == "slow"
    assert finding.severity is Severity.WARNING
    assert finding.subject == "airbyte/orders"
    assert finding.at == runs[-1].ended_at
    assert finding.summary == (
        "Orders PG → RAW took 48 min; it usually takes 22 min"
        " (p99 27 min, 40 runs; more than 36 min is unusual)"
    )


def test_the_numbers_and_the_latest_durations_can_be_cited() -> None:
    found = Detection()
    slow(Facts({}, {KEY: took([*CALM, 48])}, []), at(12, 40), found)
    (numbers,) = (item for item in found.evidence.values() if item.kind is EvidenceKind.metric)
    assert numbers.content["metric"] == "duration_seconds"
    assert numbers.content["runs"] == 40
    recent = numbers.content["recent"]
    assert isinstance(recent, list)
    assert len(recent) == 40


def test_a_usual_run_after_a_slow_one_ends_it() -> None:
    assert judge(took([*CALM, 48, 22])) == []


def test_the_next_run_under_way_does_not_end_it_until_it_was_a_usual_one() -> None:
    slow_runs = took([*CALM, 48])
    for status in (Status.pending, Status.running):
        (finding,) = judge([*slow_runs, a_run_at(at(2, 41), status=status)], hour=24 + 2.2)
        assert finding.summary.startswith("Orders PG → RAW took 48 min")


def test_a_running_run_is_told_as_soon_as_it_has_run_too_long() -> None:
    running = a_run_at(at(2, 40), status=Status.running)
    assert judge([*took(CALM), running], hour=2.5) == []
    (finding,) = judge([*took(CALM), running], hour=2.8)
    assert finding.summary.startswith("Orders PG → RAW has run 48 min; it usually takes 22 min")


def test_less_than_twice_as_long_is_a_note_unless_it_goes_on_or_the_border_is_ones_own() -> None:
    own = Rulebook(Rules(duration=Limits(ratio=1.5)))
    assert [finding.severity for finding in judge(took([*CALM, 40]))] == [Severity.INFO]
    assert [finding.severity for finding in judge(took([*CALM, 40, 40]))] == [Severity.WARNING]
    assert [finding.severity for finding in judge(took([*CALM, 40]), own)] == [Severity.WARNING]
    running = [*took(CALM), a_run_at(at(2, 40), status=Status.running)]
    for hour, severity in ((2.65, Severity.INFO), (2.8, Severity.WARNING)):
        assert [finding.severity for finding in judge(running, hour=hour)] == [severity]


def test_failures_neither_teach_nor_are_judged() -> None:
    failures = runs_at(daily(40, hour=5), minutes=1, status=Status.failed)
    runs = sorted([*took(CALM), *failures], key=lambda run: run.began_at)
    assert judge([*runs, a_run_at(at(2, 40), 48)]) != []
    assert judge([*took(CALM), a_run_at(at(2, 40), 48, status=Status.failed)]) == []


def test_a_short_job_may_take_a_few_minutes_more() -> None:
    assert judge(took([*varied(40, 1), 4])) == []
    assert judge(took([*varied(40, 1), 7])) != []


def test_one_slow_run_of_a_frequent_job_is_a_note_two_are_a_warning() -> None:
    moments = [at(hour / 2) for hour in range(200)]
    usual = runs_at(moments, minutes=10)
    one = a_run_at(at(101), minutes=20)
    two = a_run_at(at(102), minutes=21)
    much = a_run_at(at(101), minutes=27)
    assert [finding.severity for finding in judge([*usual, one])] == [Severity.INFO]
    assert [finding.severity for finding in judge([*usual, one, two])] == [Severity.WARNING]
    assert [finding.severity for finding in judge([*usual, much])] == [Severity.WARNING]


def test_a_suspiciously_fast_run_is_a_note() -> None:
    (finding,) = judge(took([*CALM, 2]))
    assert (finding.rule, finding.severity) == ("fast", Severity.INFO)
    assert "took only 2 min" in finding.summary


def test_thresholds_can_be_set_for_one_job_by_subject_or_name() -> None:
    patient = Rules(slower_by=timedelta(hours=1))
    runs = took([*CALM, 48])
    assert judge(runs, Rulebook(exceptions=[("airbyte/ord*", patient)])) == []
    assert judge(runs, Rulebook(exceptions=[("Orders*", patient)])) == []
    assert judge(runs, Rulebook(exceptions=[("Users*", patient)])) != []


def test_a_deleted_job_is_nobodys_trouble() -> None:
    found = Detection()
    slow(Facts({}, {KEY: took([*CALM, 48])}, [], frozenset({"airbyte"})), at(12, 40), found)
    assert found.findings == []


def test_too_few_runs_give_no_verdict() -> None:
    assert judge(took([22, 23, 21, 90])) == []
    assert judge([]) == []
