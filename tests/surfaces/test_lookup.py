"""schedule and explain as a person types them: over what earlier rounds of a night remembered."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from dogwatch.model.report import CheckReport
from support.cli import run
from support.watches import played, scenario

ESTATE = """
timezone: Europe/Berlin
jobs:
  airbyte/job-1: {name: Orders, schedule: "5 * * * *", timezone: UTC, duration: 20m, rows: 9000}
  airbyte/job-2: {name: Users, schedule: "35 * * * *", timezone: UTC, duration: 4m}
  snowflake/job-3: {after: [airbyte/job-1], duration: 4m}
"""
NIGHT = """
now: '{now}'
history_days: 8
watch_hours: 4
faults:
  - {{on: airbyte/job-1, kind: run_slow, factor: 2.6, at: '{hour_ago}'}}
  - {{on: airbyte/job-2, kind: run_missing, at: '{two_hours_ago}'}}
"""


def a_night() -> str:
    """One that has just ended, because the command line lives in real time: ten minutes before an hour, when
    the run of five past has long been slow and that of 35 past is missing. The jobs keep UTC: in the hour
    that Berlin repeats once a year nothing is missing yet."""
    now = datetime.now(UTC).replace(minute=50, second=0, microsecond=0)
    now -= timedelta(hours=now > datetime.now(UTC))
    ago = [(now - timedelta(hours=hours)).isoformat() for hours in (0, 1, 2)]
    return NIGHT.format(now=ago[0], hour_ago=ago[1], two_hours_ago=ago[2])


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CheckReport]:
    """A folder in which dogwatch has watched, and what it said last."""
    folder = tmp_path_factory.mktemp("night")
    return folder, played(scenario(folder, ESTATE, a_night()), folder)[1][-1]


@pytest.fixture
def report(night: tuple[Path, CheckReport], monkeypatch: pytest.MonkeyPatch) -> CheckReport:
    monkeypatch.chdir(night[0])
    return night[1]


def told(*args: str) -> Any:
    done = run(*args, "--format", "json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def fingerprint(report: CheckReport, rule: str) -> str:
    return next(finding.fingerprint for finding in report.findings if finding.rule == rule)


@pytest.mark.usefixtures("report")
def test_all_jobs_are_listed_and_one_is_told_in_full() -> None:
    found = told("schedule")
    assert found["format"] == "dogwatch.schedule/1"
    assert {job["name"] for job in found["jobs"]} == {"Orders", "Users", "JOB_3"}
    assert [len(job["coming"]) for job in told("schedule", "Users", "--slots", "3")["jobs"]] == [3]
    states = [slot["state"] for slot in told("schedule", "Users")["jobs"][0]["past"]]
    assert states.count("missed") == 2
    shown = run("schedule", "Users").stdout
    assert "● missed" in shown
    assert "○ met" in shown
    assert run("schedule", "--format", "md").stdout.startswith("| next | in | last slots |")


@pytest.mark.usefixtures("report")
def test_slots_to_come_follow_the_schedule() -> None:
    coming = [
        datetime.fromisoformat(slot["scheduled_for"])
        for slot in told("schedule", "Orders")["jobs"][0]["coming"]
    ]
    assert {moment.minute for moment in coming} == {5}
    assert coming == sorted(coming)


@pytest.mark.usefixtures("report")
def test_a_job_that_nobody_knows_is_no_error() -> None:
    assert "no job fits" in run("schedule", "nobody").stdout
    assert told("schedule", "nobody")["jobs"] == []


def test_a_finding_is_explained_by_the_beginning_of_its_fingerprint(report: CheckReport) -> None:
    slow = fingerprint(report, "slow")
    found = told("explain", slow[:8])
    assert found["format"] == "dogwatch.explain/1"
    assert found["finding"]["fingerprint"] == slow
    assert found["course"]["high"] < found["course"]["points"][-1]["value"]
    assert found["thresholds"]["slow_ratio"] == 1.63
    assert {item["id"] for item in found["evidence"]} == set(found["finding"]["evidence"])
    shown = run("explain", slow[:8]).stdout
    assert "░" in shown
    assert "unusual below" in shown
    assert all(
        cell_len(line) <= 80
        for line in shown.splitlines()
        if not {"http", "dogwatch"} & {*line.replace(":", " ").split()}
    )
    assert "    •" in run("explain", slow[:8], "--format", "md").stdout


def test_a_missing_run_is_explained_by_its_slots(report: CheckReport) -> None:
    missed = fingerprint(report, "missed")
    found = told("explain", missed)
    assert found["course"] is None
    assert [slot["state"] for slot in found["slots"]][:2] == ["missed", "missed"]
    assert "● missed" in run("explain", missed).stdout


def test_who_means_nothing_or_several_is_told_so(report: CheckReport) -> None:
    nothing = run("explain", "zzz")
    assert nothing.exit_code == 2
    assert "no finding begins with 'zzz'" in nothing.stderr
    several = run("explain", "")
    assert several.exit_code == 2
    assert "findings begin with ''" in several.stderr


def test_health_is_in_the_json_and_names_what_to_do(report: CheckReport) -> None:
    assert [one.scope for one in report.health] == ["all", "airbyte", "snowflake"]
    whole = report.health[0]
    assert whole.overall_health == "unhealthy"
    assert any(text.startswith("Users (missed): ") for text in whole.recommendations)
    assert report.health[2].overall_health == "healthy"
