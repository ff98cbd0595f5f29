"""Every fault of jobs on every platform that can express it, through the real app: what is said of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dogwatch.cli.lab import opener
from dogwatch.lab.run import Night, watch
from dogwatch.lab.scenario import load_scenario
from dogwatch.model import Finding, Severity

PLATFORMS = ("airbyte", "databricks", "power_automate", "snowflake")
SHOW_RUNNING = ("airbyte", "databricks", "snowflake")
RECORD_SKIPS = ("databricks", "snowflake")
TELL_ROWS = ("airbyte",)
ESTATE = """
id: own
timezone: Europe/Berlin
jobs:
  {on}/job-1: {{name: JOB_1, schedule: "5 * * * *", duration: 20m, spread: 0.1, rows: 90000}}
  {on}/job-2: {{name: JOB_2, schedule: "35 * * * *", reads: [{on}/job-1], duration: 4m, rows: 7000}}
"""
SCENARIO = """
id: s
estate: own.yaml
seed: 5
now: 2026-03-04T12:00:00Z
history_days: 8
watch_hours: 5
{told}
faults: [{fault}]
"""
ONE_RUN = "at: 2026-03-04T09:00:00Z, until: 2026-03-04T10:00:00Z"
FROM_SEVEN = "at: 2026-03-04T07:00:00Z"
FROM_NINE = "at: 2026-03-04T09:00:00Z"


@dataclass(frozen=True)
class Case:
    """A fault, and what is said of it."""

    fault: str
    rule: str
    severity: Severity
    says: str
    on: tuple[str, ...] = PLATFORMS
    job: str = "JOB_1"


CASES: Mapping[str, Case] = {
    "run_missing": Case(ONE_RUN, "missed", Severity.WARNING, " at 04 Mar 10:05 CET ("),
    "run_missing for good": Case(FROM_NINE, "missed", Severity.ERROR, " at 04 Mar 10:05 CET, "),
    "run_late": Case(
        f"{ONE_RUN}, by: 12m", "late", Severity.WARNING, "12 min after its time (04 Mar 10:05 CET)"
    ),
    "run_slow": Case(f"{ONE_RUN}, factor: 3", "slow", Severity.WARNING, "it usually takes 20 min"),
    "run_hangs": Case(ONE_RUN, "slow", Severity.ERROR, "it usually takes 20 min", SHOW_RUNNING),
    "run_hangs unseen": Case(
        ONE_RUN, "missed", Severity.WARNING, "did not start, or did not end yet, at", ("power_automate",)
    ),
    "run_duplicated": Case(ONE_RUN, "duplicated", Severity.WARNING, "was started twice "),
    "zero_rows": Case(
        ONE_RUN, "empty", Severity.ERROR, "succeeded with no rows; it usually moves", TELL_ROWS
    ),
    "row_drop": Case(f"{ONE_RUN}, factor: 0.2", "few_rows", Severity.WARNING, "it usually moves", TELL_ROWS),
    "flapping": Case(f"{FROM_SEVEN}, error: no such host", "flapping", Severity.WARNING, "alternates: "),
    "schedule_changed": Case(
        f'{FROM_NINE}, cron: "5 6 * * 1"', "schedule_changed", Severity.WARNING, "fewer since than before"
    ),
    "upstream_skipped": Case(ONE_RUN, "skipped", Severity.WARNING, "was skipped", RECORD_SKIPS),
    "upstream_skipped unrecorded": Case(
        ONE_RUN, "missed", Severity.WARNING, "did not start", ("airbyte", "power_automate")
    ),
    "schema_change": Case(
        f"{FROM_NINE}, column: amount, error: invalid identifier AMOUNT",
        "failed",
        Severity.ERROR,
        "invalid identifier AMOUNT",
        job="JOB_2",
    ),
    "paused": Case(FROM_NINE, "paused", Severity.WARNING, "did not happen since"),
}


def night(folder: Path, platform: str, kind: str, fields: str, told: str = "") -> Night:
    """Five hours of a small estate in which one thing goes wrong."""
    (folder / "own.yaml").write_text(ESTATE.format(on=platform), encoding="utf-8")
    fault = f"{{on: {platform}/job-1, kind: {kind.partition(' ')[0]}, {fields}}}"
    text = SCENARIO.format(fault=fault, told=told.format(on=platform))
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    return watch(load_scenario(folder / "s.yaml"), opener, timer=time.perf_counter)


def worst(told: Night) -> dict[tuple[str, str], Finding]:
    """By rule and subject, the gravest form in which a finding was told."""
    found: dict[tuple[str, str], Finding] = {}
    for report in told.reports:
        for finding in report.findings:
            key = (finding.rule, finding.subject)
            if key not in found or finding.severity.rank >= found[key].severity.rank:
                found[key] = finding
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "platform"), [(kind, platform) for kind, case in CASES.items() for platform in case.on]
)
def test_a_fault_is_told_for_what_it_is_and_of_its_job_alone(
    kind: str, platform: str, tmp_path: Path
) -> None:
    case = CASES[kind]
    told = night(tmp_path, platform, kind, case.fault)
    found = worst(told)
    ours = {finding for (rule, _), finding in found.items() if rule == case.rule}
    assert len(ours) == 1, list(found.values())
    (finding,) = ours
    assert finding.severity is case.severity, finding
    assert finding.summary.startswith(case.job), finding
    assert case.says in finding.summary
    last = told.reports[-1]
    cited = {item.id for report in told.reports for item in report.evidence}
    assert set(finding.evidence) <= cited
    grave = {finding.subject for finding in found.values() if finding.severity is not Severity.INFO}
    assert grave == {finding.subject}, list(found.values())
    assert last.health[0].risk_level.value in {"LOW", "MEDIUM", "HIGH"}


TOLD: Mapping[str, str] = {
    "maintenance": "told: {{maintenance: [{{on: {on}, from: 2026-03-04T08:30Z, to: 2026-03-04T13:00Z}}]}}",
    "holidays": "told: {{holidays: [2026-03-04]}}",
    "muted": "told: {{muted: [{on}/job-1, {on}/job-2]}}",
}


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("word", TOLD)
def test_what_the_user_told_wakes_nobody(word: str, platform: str, tmp_path: Path) -> None:
    told = night(tmp_path, platform, "run_missing", FROM_NINE, TOLD[word])
    loud = [finding for finding in worst(told).values() if finding.severity is not Severity.INFO]
    assert loud == []
    assert {report.exit_code for report in told.reports} == {0}


@pytest.mark.parametrize("platform", ["power_automate", "snowflake"])
def test_a_missing_run_is_told_within_a_round(platform: str, tmp_path: Path) -> None:
    told = night(tmp_path, platform, "run_missing", ONE_RUN)
    (finding,) = (finding for finding in worst(told).values() if finding.rule == "missed")
    first = next(report for report in told.reports if finding.fingerprint in report.new)
    cited = {item.id: item for item in first.evidence}
    known_by = datetime.fromisoformat(str(cited[finding.evidence[0]].content["known_by"]))
    assert timedelta(0) < first.at - known_by <= timedelta(minutes=15)
