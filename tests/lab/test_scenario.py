"""Scenario files: the contract's example, the mistakes one can make, and the ones that are shipped."""

import functools
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dogwatch.errors import LabError
from dogwatch.lab.faults import KINDS, targets
from dogwatch.lab.scenario import Scenario, load_scenario, scenario_files, shipped_scenarios
from dogwatch.model import EvidenceKind, Severity
from support.estates import SHOP, Stopped

EXAMPLE = """
id: s-0001
estate: audit
seed: 17
now: 2026-03-03T06:30:00Z
history_days: 30
check_every: 15m
watch_hours: 8
faults:
  - at: 2026-03-03T02:04:00Z
    until: 2026-03-03T06:00:00Z
    on: airbyte/orders
    kind: run_fails
    error: "verbatim, as the platform words it"
noise:
  - {at: 2026-03-03T01:00:00Z, on: databricks/hourly, kind: run_slow, factor: 1.3}
expect:
  healthy: false
  incidents:
    - culprit: airbyte/orders
      cause_class: auth_permission
      affected: [snowflake/load_orders, databricks/daily_sales]
      min_severity: ERROR
      detected_within: 20m
      must_cite: [run]
      must_not_blame: [databricks/hourly]
      confidence: [confirmed, likely]
      proposes: [rerun]
  max_notifications: 1
  forbidden_text: ["database crashed"]
"""
HEAD = "id: s\nestate: audit\nnow: 2026-03-03T06:30:00Z\n"


def load(text: str, folder: Path) -> Scenario:
    path = folder / "s.yaml"
    path.write_text(text, encoding="utf-8")
    return load_scenario(path)


def test_the_example_of_the_contract_is_read_word_for_word(tmp_path: Path) -> None:
    scenario = load(EXAMPLE, tmp_path)
    assert (scenario.id, scenario.estate.id, scenario.seed) == ("s-0001", "audit", 17)
    assert scenario.now == datetime(2026, 3, 3, 6, 30, tzinfo=UTC)
    assert (scenario.history, scenario.watch) == (timedelta(days=30), timedelta(hours=8))
    assert [fault.kind for fault in (*scenario.faults, *scenario.noise)] == ["run_fails", "run_slow"]
    assert scenario.expect.healthy is False
    assert scenario.expect.incidents is not None
    [incident] = scenario.expect.incidents
    assert incident.culprit == "airbyte/orders"
    assert incident.cause_class == ("auth_permission",)
    assert incident.affected == ("snowflake/load_orders", "databricks/daily_sales")
    assert (incident.min_severity, incident.must_cite) == (Severity.ERROR, (EvidenceKind.run,))
    assert incident.detected_within == timedelta(minutes=20)
    assert (incident.confidence, incident.proposes) == (("confirmed", "likely"), ("rerun",))
    assert (scenario.expect.max_notifications, scenario.expect.forbidden_text) == (1, ("database crashed",))


def test_what_is_left_out_is_not_expected(tmp_path: Path) -> None:
    expect = load(HEAD, tmp_path).expect
    assert (expect.healthy, expect.incidents, expect.tolerated) == (None, None, ())
    assert load(HEAD + "expect: {incidents: []}\n", tmp_path).expect.incidents == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now: 2026-03-03T06:30:00Z\nid: s\n", "s.yaml:1: lacks 'estate'"),
        ("id: s\nestate: audit\nnow: 2026-03-03T06:30:00\n", "s.yaml:3: now: 2026-03-03T06:30:00 has no"),
        (
            "id: s\nestate: adit\nnow: 2026-03-03T06:30:00Z\n",
            "s.yaml:2: estate: 'adit' is neither a shipped estate nor a file beside",
        ),
        (HEAD + "fault: []\n", "s.yaml:4: fault: unknown word; did you mean 'faults'?; allowed: id"),
        (HEAD + "faults: {}\n", "s.yaml:4: faults: expected a list, found a mapping"),
        (HEAD + "faults:\n  - {kind: run_failed}\n", "s.yaml:5: faults[0].kind: unknown word 'run_failed'"),
        (HEAD + "check_every: 10s\n", "rounds are at least a minute apart"),
        (HEAD + "seed: x\n", "expected a whole number"),
        (HEAD + "expect: {helthy: true}\n", "expect.helthy: unknown word; did you mean 'healthy'?"),
        (HEAD + "expect: {healthy: yes}\n", "expected true or false, found 'yes'"),
        (HEAD + "expect: {incidents: [{}]}\n", "expect.incidents[0]: lacks 'culprit'"),
        (
            HEAD + "expect: {incidents: [{culprit: airbyte/ordes}]}\n",
            "'airbyte/ordes' is not in the estate 'audit'; did you mean 'airbyte/orders'?",
        ),
        (
            HEAD + "expect: {incidents: [{culprit: airbyte, cause_class: auth}]}\n",
            "unknown word 'auth'; allowed: auth_permission, quota_rate_limit",
        ),
        (
            HEAD + "expect: {incidents: [{culprit: airbyte, min_severity: BAD}]}\n",
            "unknown word 'BAD'; allowed: INFO, WARNING, ERROR, CRITICAL",
        ),
        (
            HEAD + "expect: {incidents: [{culprit: airbyte, must_cite: [runs]}]}\n",
            "unknown word 'runs'; did you mean 'run'?",
        ),
        (
            HEAD + "expect: {incidents: [{culprit: airbyte, proposes: [restart]}]}\n",
            "allowed: rerun, cancel, repair, pause, resume, manual",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_line_and_what_is_allowed(
    text: str, expected: str, tmp_path: Path
) -> None:
    with pytest.raises(LabError) as caught:
        load(text, tmp_path)
    assert expected in caught.value.message


def test_an_estate_may_stand_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(SHOP)
    assert load(HEAD.replace("audit", "own.yaml"), tmp_path).estate.id == "shop"
    assert [path.name for path in scenario_files(tmp_path)] == ["s.yaml"]


def test_a_mistake_in_an_estate_names_the_estates_file(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(SHOP.replace("duration: 12m", "duration: 12"))
    with pytest.raises(LabError, match=r"^own\.yaml:6: jobs\.airbyte/orders\.duration"):
        load(HEAD.replace("audit", "own.yaml"), tmp_path)


def test_a_folder_without_scenarios_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no scenario in"):
        scenario_files(tmp_path)
    with pytest.raises(LabError, match="no folder"):
        scenario_files(tmp_path / "nowhere")


def test_rounds_end_at_now_and_begin_with_the_watch(tmp_path: Path) -> None:
    rounds = load(EXAMPLE, tmp_path).rounds()
    assert (rounds[0], rounds[-1]) == (
        datetime(2026, 3, 2, 22, 30, tzinfo=UTC),
        datetime(2026, 3, 3, 6, 30, tzinfo=UTC),
    )
    assert len(rounds) == 33


def test_there_is_a_whole_history_before_the_first_round(tmp_path: Path) -> None:
    scenario = load(EXAMPLE, tmp_path)
    first = scenario.world(Stopped(scenario.now)).runs[0].created
    assert timedelta(0) <= first - (scenario.rounds()[0] - timedelta(days=30)) < timedelta(hours=1)


def test_a_story_can_be_moved_to_another_day(tmp_path: Path) -> None:
    scenario = load(EXAMPLE, tmp_path)
    moved = scenario.moved(timedelta(days=100))
    assert moved.now == scenario.now + timedelta(days=100)
    assert moved.faults[0].at == scenario.faults[0].at + timedelta(days=100)
    assert moved.faults[0].until is not None
    assert moved.noise[0].until is None


# ── the ones that are shipped ──────────────────────────────────────────────────────────────────────────────

SHIPPED = [path for path in shipped_scenarios() if path.stem != "demo"]
shipped = functools.cache(load_scenario)


def downstream(scenario: Scenario, name: str) -> set[str]:
    """Everything that waits for a job, reads what comes of it, or was told to, through any number of steps.
    Of a platform everything downstream of its jobs."""
    edges = [edge for pipeline in scenario.told.pipelines for edge in pipeline.edges or ()]
    found: set[str] = set()
    ahead = [name, *(job for job in scenario.estate.jobs if job.startswith(f"{name}/"))]
    while ahead:
        here = ahead.pop()
        told = [second for first, second in edges if first == here]
        new = [job for job in (*scenario.estate.consumers(here), *told) if job not in found]
        found.update(new)
        ahead += new
    return found


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_scenario_expects_only_what_its_faults_can_do(path: Path) -> None:
    scenario = shipped(path)
    assert scenario.id == path.stem
    for incident in scenario.expect.incidents or ():
        struck = {fault.on for fault in scenario.faults}
        struck |= {spec.job for fault in scenario.faults for spec in targets(fault, scenario.estate)}
        assert incident.culprit in struck
        assert set(incident.affected or ()) <= downstream(scenario, incident.culprit)
        assert incident.culprit not in (incident.must_not_blame or ())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_nothing_in_a_shipped_scenario_gives_the_fault_away(path: Path) -> None:
    scenario = shipped(path)
    assert re.fullmatch(r"s-\d{4}", scenario.id)
    words = {form for kind in KINDS for form in (kind, kind.replace("_", " "))}
    for fault in (*scenario.faults, *scenario.noise):
        said = str(fault.fields.get("error", "")).lower()
        assert not {word for word in words if re.search(rf"\b{word}\b", said)}  # platforms have their own


def test_names_in_the_shipped_estate_are_ordinary() -> None:
    estate = shipped(SHIPPED[0]).estate
    assert len(estate.jobs) >= 40
    for job in estate.jobs.values():
        assert not re.search(r"fail|broken|bad|slow|hang|miss|fault|test", f"{job.job} {job.name}".lower())
