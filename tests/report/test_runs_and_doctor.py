"""Remembered runs and the doctor's verdicts, as lines."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from rich.cells import cell_len

from dogwatch.model import Status
from dogwatch.model.report import Diagnosis
from dogwatch.report import markdown
from dogwatch.report.doctor import ward
from dogwatch.report.runs import listing
from support.cast import NOON, a_run

BERLIN = ZoneInfo("Europe/Berlin")
NOW = NOON + timedelta(hours=8)


def test_runs_are_one_line_each_and_errors_stand_below() -> None:
    found = [
        a_run(3, Status.running),
        a_run(2, Status.failed, error_message="permission denied\nfor table orders", attempt=2),
        a_run(1, Status.unknown, native_status="napping", ended_at=None),
    ]
    assert listing(found, BERLIN, NOW, 80).plain.splitlines() == [
        "16:00  ▷ running                    Orders PG → RAW  airbyte  3",
        "15:00  ● failed             10 min  Orders PG → RAW  airbyte  2 attempt 2",
        "         permission denied for table orders",
        "14:00  ◐ unknown (napping)          Orders PG → RAW  airbyte  1",
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_long_name_gives_way_and_says_so(width: int) -> None:
    found = [a_run(1, job_name="日本語のジョブ " * 12), a_run(2, Status.failed, error_message="why " * 60)]
    shown = listing(found, BERLIN, NOW, width).plain.splitlines()
    assert all(cell_len(line) <= width for line in shown)
    assert "…" in shown[0]


def test_no_run_teaches_where_runs_come_from() -> None:
    assert "dogwatch check" in listing([], BERLIN, NOW, 80).plain


def test_a_hostile_job_name_is_one_quiet_line() -> None:
    run = a_run(1, Status.failed, job_name="a\x1b[2J\nb", error_message="[red]\u202ex", native_run_id="1\n2")
    shown = listing([run], BERLIN, NOW, 80).plain
    assert len(shown.splitlines()) == 2
    assert not any(char in shown for char in "\x1b\u202e")


def test_runs_as_markdown_are_a_table_that_a_name_cannot_break() -> None:
    told = markdown.runs([a_run(1, job_name="a|b <i>@all</i>")], BERLIN).splitlines()
    assert len(told) == 3
    assert told[2].count(" | ") == 6
    assert "<i>" not in told[2]


def a_diagnosis(**changes: object) -> Diagnosis:
    values = {"instance": "airbyte", "platform": "airbyte", "title": "Airbyte", "ok": True, "line": "13 jobs"}
    return Diagnosis.model_validate({**values, **changes})


def test_the_doctor_says_reachable_authenticated_permitted_and_how_fresh() -> None:
    told = ward([a_diagnosis(read_until=NOON)], BERLIN, NOON + timedelta(minutes=14), 100).plain
    assert told == (
        "○ airbyte  reachable, authenticated, permitted: 13 jobs · last read whole 13:00, 14 min ago"
    )


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("credentials", "reachable, but it refuses our credentials"),
        ("permission", "reachable and authenticated, but not permitted"),
        ("rate_limited", "reachable, but it asks us to wait"),
        ("unreachable", "not reachable"),
        ("unexpected", "reachable, but its answer is not understood"),
    ],
)
def test_the_doctor_names_the_trouble_and_the_remedy(fault: str, words: str) -> None:
    sick = a_diagnosis(ok=False, fault=fault, line="GET /x answered 401", hint="renew the token")
    told = ward([sick], BERLIN, NOON, 100).plain.splitlines()
    assert told[0] == f"◐ airbyte  {words}: GET /x answered 401"
    assert told[1] == "           next  renew the token"


def test_the_doctor_minds_the_clock() -> None:
    told = ward([a_diagnosis(skew_seconds=200.0)], BERLIN, NOON, 200).plain
    assert "its clock is 3 min ahead of this machine" in told
