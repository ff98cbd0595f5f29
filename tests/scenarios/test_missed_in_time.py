"""How soon a missing run is told, also in the nights when clocks change, and what blindness does not do."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dogwatch.lab.serve import Lab
from dogwatch.model.report import CheckReport
from support.crash_memory import memory
from support.watches import played, scenario

CHECK = timedelta(minutes=15)
CHANGES = {
    ("Europe/Berlin", "spring"): datetime(2026, 3, 29, 1, tzinfo=UTC),
    ("Europe/Berlin", "autumn"): datetime(2026, 10, 25, 1, tzinfo=UTC),
    ("America/New_York", "spring"): datetime(2026, 3, 8, 7, tzinfo=UTC),
    ("America/New_York", "autumn"): datetime(2026, 11, 1, 6, tzinfo=UTC),
    ("Australia/Sydney", "spring"): datetime(2026, 10, 3, 16, tzinfo=UTC),
    ("Australia/Sydney", "autumn"): datetime(2026, 4, 4, 16, tzinfo=UTC),
}
"""The instant at which clocks are set forward or back."""
NIGHTS = """
timezone: {zone}
jobs:
  airbyte/before: {{schedule: "40 0 * * *", duration: 8m}}
  airbyte/nightly: {{schedule: "40 4 * * *", duration: 8m}}
  airbyte/interval: {{every: 1h, duration: 5m}}
  databricks/before: {{schedule: "50 0 * * *", duration: 8m}}
  databricks/nightly: {{schedule: "50 4 * * *", duration: 8m}}
  databricks/hourly: {{schedule: "5 * * * *", duration: 4m}}
  snowflake/before: {{schedule: "45 0 * * *", duration: 8m}}
  snowflake/nightly: {{schedule: "45 4 * * *", duration: 8m}}
  snowflake/interval: {{every: 1h, duration: 4m}}
  snowflake/root: {{schedule: "35 0,4 * * *", duration: 6m}}
  snowflake/follower: {{after: [snowflake/root], duration: 3m}}
  power_automate/nightly: {{schedule: "55 4 * * *", duration: 2m}}
  power_automate/interval: {{every: 1h, duration: 1m}}
"""
BEFORE, NIGHT_AFTER, NEXT_DAY, HOUR = (-3, 0.0), (1.0, 8.0), (24.0, 32.0), (2.0, 3.0)
"""Hours after the change."""
STRUCK = (
    *((f"{platform}/before", BEFORE) for platform in ("airbyte", "databricks", "snowflake")),
    *(
        (f"{platform}/nightly", when)
        for platform in ("airbyte", "databricks", "power_automate", "snowflake")
        for when in (NIGHT_AFTER, NEXT_DAY)
    ),
    *((f"{job}", HOUR) for job in ("airbyte/interval", "snowflake/interval", "power_automate/interval")),
    ("databricks/hourly", HOUR),
    ("snowflake/follower", BEFORE),
    ("snowflake/follower", NIGHT_AFTER),
)


def faults(change: datetime) -> str:
    lines = [
        f"  - {{on: {job}, kind: run_missing, at: '{_at(change, when[0])}', until: '{_at(change, when[1])}'}}"
        for job, when in STRUCK
    ]
    return "\n".join(["faults:", *lines])


def _at(change: datetime, hours: float) -> str:
    return (change + timedelta(hours=hours)).isoformat()


def delays(lab: Lab, reports: Sequence[CheckReport]) -> dict[tuple[str, datetime], timedelta]:
    """By job and slot: how long after a run of it had to be known a round told first that it is missing."""
    names = {lab.subject(name): name for name in lab.world.jobs}
    found: dict[tuple[str, datetime], timedelta] = {}
    for report in reports:
        cited = {item.id: item for item in report.evidence}
        for finding in report.findings:
            if finding.rule != "missed":
                continue
            for slot in (cited[id_].content for id_ in finding.evidence):
                if "expected" in slot:
                    due, latest = (datetime.fromisoformat(str(slot[key])) for key in ("expected", "known_by"))
                    found.setdefault((names[finding.subject], due), report.at - latest)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("zone", "season"), CHANGES)
def test_every_missing_run_around_a_change_of_clocks_is_told_within_one_check(
    zone: str, season: str, tmp_path: Path
) -> None:
    change = CHANGES[zone, season]
    told = f"now: '{_at(change, 33)}'\nhistory_days: 9\nwatch_hours: 38\n{faults(change)}"
    story = scenario(tmp_path, NIGHTS.format(zone=zone), told)
    dull = (change + timedelta(hours=10), change + timedelta(hours=23))
    rounds = [at for at in story.rounds() if at.minute == change.minute or not dull[0] < at < dull[1]]
    lab, reports = played(story, tmp_path, rounds)
    found = delays(lab, reports)
    missing = [
        (job, [due for name, due in found if name == job and _within(due, change, when)])
        for job, when in STRUCK
    ]
    assert [job for job, slots in missing if len(slots) != 1] == []
    assert len(found) == len(STRUCK), found
    late = {key: delay for key, delay in found.items() if not timedelta(0) < delay <= CHECK}
    assert late == {}
    loud = {finding.rule for report in reports for finding in report.findings if finding.severity.rank >= 1}
    assert loud == {"missed"}


def _within(due: datetime, change: datetime, when: tuple[float, float]) -> bool:
    return timedelta(hours=when[0]) <= due - change < timedelta(hours=when[1])


DAY = """
timezone: Europe/Berlin
jobs:
  {on}/job-1: {{name: JOB_1, schedule: "5 * * * *", duration: 4m}}
  {on}/job-2: {{name: JOB_2, schedule: "20 * * * *", duration: 4m}}
  {on}/job-3: {{name: JOB_3, every: 1h, duration: 4m}}
"""
OUTAGE = (datetime(2026, 3, 4, 8, 1, tzinfo=UTC), datetime(2026, 3, 4, 11, 1, tzinfo=UTC))
LOST = "{{on: {on}/job-1, kind: run_missing, at: 2026-03-04T09:00:00Z, until: 2026-03-04T10:00:00Z}}"
DARK = "{{on: {on}, kind: platform_down, at: 2026-03-04T08:01:00Z, until: 2026-03-04T11:01:00Z}}"
TAIL = "now: 2026-03-04T13:00:00Z\nhistory_days: 6\nwatch_hours: 6\nfaults: [{faults}]"
PLATFORMS = ("airbyte", "databricks", "power_automate", "snowflake")


def an_outage(folder: Path, platform: str, *, asleep: bool, lost: bool = True) -> list[CheckReport]:
    """Three hours in which the platform cannot be read, or (``asleep``) in which dogwatch itself is not
    running; in them one run of job-1 is really missing if ``lost``."""
    kinds = [*([LOST] if lost else []), *([] if asleep else [DARK])]
    text = ", ".join(kinds).format(on=platform)
    story = scenario(folder, DAY.format(on=platform), TAIL.format(faults=text))
    rounds = [at for at in story.rounds() if not (asleep and OUTAGE[0] <= at < OUTAGE[1])]
    return played(story, folder, rounds)[1]


@pytest.mark.slow
@pytest.mark.parametrize("asleep", [False, True], ids=["unreadable", "not running"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_after_three_hours_of_blindness_what_really_was_missed_is_told_once(
    platform: str, asleep: bool, tmp_path: Path
) -> None:
    reports = an_outage(tmp_path, platform, asleep=asleep)
    told = [
        (report.at, finding.summary)
        for report in reports
        for finding in report.findings
        if finding.rule in {"missed", "late"}
    ]
    assert len(told) == 1, told
    ((at, summary),) = told
    assert timedelta(0) <= at - OUTAGE[1] <= CHECK
    assert "JOB_1 did not start" in summary
    assert "at 04 Mar 10:05 CET (" in summary
    assert summary.endswith("it has come again since")


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_outage_in_which_nothing_was_lost_makes_nothing_missed(platform: str, tmp_path: Path) -> None:
    reports = an_outage(tmp_path, platform, asleep=False, lost=False)
    rules = {finding.rule for report in reports for finding in report.findings}
    assert rules == {"blind"}
    assert reports[-1].findings == ()


ROUNDS = {
    "as it comes": [15],
    "seldom": [60],
    "often": [5],
    "twice": [15, 0],
    "unevenly": [3, 40, 0, 17, 60],
}
"""Minutes from one round to the next, again and again."""


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
def test_however_often_one_looks_the_verdicts_are_the_same(platform: str, tmp_path: Path) -> None:
    late = (
        f"{{on: {platform}/job-2, kind: run_late, by: 25m, at: 2026-03-04T09:00Z, until: 2026-03-04T10:00Z}}"
    )
    text = f"{LOST.format(on=platform)}, {late}"
    verdicts: dict[str, object] = {}
    for name, gaps in ROUNDS.items():
        folder = tmp_path / name
        story = scenario(folder, DAY.format(on=platform), TAIL.format(faults=text))
        rounds = [story.now - story.watch]
        while rounds[-1] < story.now:
            rounds.append(rounds[-1] + timedelta(minutes=gaps[len(rounds) % len(gaps)]))
        reports = played(story, folder, [*(at for at in rounds if at < story.now), story.now])[1]
        slots = memory(folder / "dogwatch.db")["expectations"]
        verdicts[name] = (
            [{key: row[key] for key in row if key != "told"} for row in slots],
            [finding.fingerprint for finding in reports[-1].findings],
        )
    assert len(verdicts["often"][0]) > 12  # type: ignore[index]  # of each job about six
    for name, verdict in verdicts.items():
        assert verdict == verdicts["often"], name
