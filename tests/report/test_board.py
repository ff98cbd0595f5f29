"""The board: what it says, in which order, and that nothing a platform says can spoil it."""

from datetime import timedelta

import pytest
from rich.cells import cell_len

from dogwatch.model import (
    Affected,
    Cause,
    CauseClass,
    Confidence,
    Deadline,
    Evidence,
    EvidenceKind,
    Finding,
    Harm,
    Incident,
    IncidentState,
    Severity,
    Turn,
    TurnKind,
)
from dogwatch.model.report import CheckReport, PlatformView, Sight
from dogwatch.report import markdown
from dogwatch.report.board import board
from support.cast import NOON

RUN = Evidence.of(
    EvidenceKind.run, source="airbyte", subject="airbyte/orders", content={"native_run_id": "4711"}, at=NOON
)
AIRBYTE = PlatformView(
    instance="airbyte", platform="airbyte", title="Airbyte", sight=Sight.clear, jobs=13, jobs_as_expected=12
)
DATABRICKS = PlatformView(
    instance="databricks",
    platform="databricks",
    title="Databricks",
    sight=Sight.blind,
    blind_since=NOON - timedelta(hours=4),
    reason="401 from GET /api/2.2/jobs/runs/list",
    hint="renew the token",
    read_until=NOON - timedelta(hours=4, minutes=15),
    jobs=4,
)


def a_finding(severity: Severity = Severity.ERROR, **changes: object) -> Finding:
    values: dict[str, object] = {
        "rule": "failed",
        "subject": "airbyte/orders",
        "severity": severity,
        "summary": "Orders PG → RAW failed: permission denied for table orders",
        "evidence": (RUN.id,),
        "fingerprint": "f1",
        "at": NOON - timedelta(hours=4, minutes=26),
        "next_step": "https://cloud.airbyte.com/x  or: dogwatch runs --job orders",
    }
    return Finding.model_validate({**values, **changes})


def an_incident(number: int = 1, **changes: object) -> Incident:
    values: dict[str, object] = {
        "number": number,
        "key": str(number),
        "state": IncidentState.open,
        "severity": Severity.ERROR,
        "title": "Orders PG → RAW failed: permission denied for table orders",
        "culprit": "airbyte/orders",
        "culprit_name": "Orders PG → RAW",
        "findings": (f"f{number}",),
        "active": (f"f{number}",),
        "opened_at": NOON,
        "began_at": NOON - timedelta(hours=4, minutes=26),
        "updated_at": NOON,
        "version": 1,
    }
    return Incident.model_validate({**values, **changes})


def a_report(*told: Finding | Incident, **changes: object) -> CheckReport:
    findings = tuple(one for one in told if isinstance(one, Finding))
    values: dict[str, object] = {
        "incidents": tuple(one for one in told if isinstance(one, Incident)),
        "at": NOON,
        "timezone": "Europe/Berlin",
        "previous_round_at": NOON - timedelta(minutes=14),
        "exit_code": 1,
        "findings": findings,
        "evidence": (RUN,),
        "platforms": (AIRBYTE, DATABRICKS),
    }
    return CheckReport.model_validate({**values, **changes})


def lines(report: CheckReport, width: int = 80) -> list[str]:
    return board(report, width).plain.splitlines()


def test_the_board_as_a_tired_person_sees_it() -> None:
    cause = Cause(
        claim="Orders PG → RAW failed: its rights were not accepted",
        cause_class=CauseClass.auth_permission,
        subject="airbyte/orders",
        confidence=Confidence.likely,
        cites=(RUN.id,),
    )
    skipped = Affected(
        subject="snowflake/LOAD_ORDERS",
        name="LOAD_ORDERS",
        harm=Harm.skipped,
        since=NOON - timedelta(hours=4),
        cites=(RUN.id,),
    )
    incident = an_incident(
        7,
        findings=("f1",),
        causes=(cause,),
        affected=(skipped,),
        deadlines=(Deadline(pipeline="sales", due=NOON - timedelta(hours=2), missed=True),),
    )
    assert lines(a_report(incident, a_finding())) == [
        "dogwatch · 3 Mar 13:00 Berlin · 17 jobs on 2 platforms · last round 14 min ago",
        "",
        "● 1 incident   ◐ 1 platform blind   ○ 12 jobs as expected",
        "",
        " INC-7  ERROR  Orders PG → RAW failed: permission denied for table orders",
        "          cause     likely: Orders PG → RAW failed: its rights were not accepted",
        f"                    (auth_permission) ev {RUN.id[:8]}",
        "          started   08:34, 4 h 26 min ago",
        "          hits      LOAD_ORDERS skipped · sales 11:00 missed, 2 h ago",
        "          next      dogwatch incident show INC-7",
        "                    Orders PG → RAW: set the new password or sign in again in",
        "                    the connector's settings, test, save",
        "                    https://cloud.airbyte.com/x",
        "                    dogwatch runs --job orders",
        "",
        " BLIND    Databricks not readable since 09:00: 401 from GET",
        "          /api/2.2/jobs/runs/list",
        "          unseen    nothing after 08:45, 4 h 15 min ago, is known of its 4 jobs",
        "          next      renew the token",
        "                    dogwatch doctor databricks",
        "",
        " quiet    Airbyte 12/13 · Databricks ?/4",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 110])
def test_nothing_but_links_and_commands_is_wider_than_the_terminal(width: int) -> None:
    told: list[Finding | Incident] = [
        an_incident(title="日本語のジョブ名前 " * 20),
        an_incident(12345, title="x" * 300),
        a_finding(Severity.INFO, summary="old and quiet " * 9, fingerprint="c"),
    ]
    report = a_report(*told, platforms=(AIRBYTE.model_copy(update={"caveats": ("so " * 50,)}), DATABRICKS))
    for line in lines(report, width):
        if "https://" not in line and "dogwatch " not in line:
            assert cell_len(line) <= width, line


def test_what_is_new_since_the_last_round_says_so() -> None:
    opened = Turn(
        number=2,
        version=1,
        at=NOON,
        actor="rules",
        kind=TurnKind.opened,
        was=None,
        state=IncidentState.open,
        why="",
    )
    report = a_report(an_incident(1), an_incident(2), turns=(opened,))
    started = [line for line in lines(report) if "started" in line]
    assert [line.endswith("· new") for line in started] == [False, True]
    first = a_report(an_incident(2), turns=(opened,), previous_round_at=None)
    assert not any("· new" in line for line in lines(first))


def test_many_incidents_are_all_there_the_worst_in_full() -> None:
    shown = lines(a_report(*(an_incident(n, title=f"job {n} failed") for n in range(1, 31))))
    assert all(any(f"job {n} failed" in line for line in shown) for n in range(1, 31))
    assert sum("started" in line for line in shown) == 6


def test_a_muted_incident_is_seen_in_one_line_and_not_counted() -> None:
    shown = lines(a_report(an_incident(3, muted="maintenance until 3 Mar 14:00")))
    assert shown[2].startswith("● 0 incidents")
    assert any(line.startswith(" MUTED    INC-3: Orders PG → RAW failed") for line in shown)


def test_what_a_person_resolved_and_is_still_found_is_mentioned() -> None:
    shown = lines(a_report(a_finding()))
    assert shown[2].startswith("● 0 incidents")
    assert any(line.startswith(" ERROR    Orders PG → RAW failed") for line in shown)


def test_a_quiet_morning_is_short_and_ends_in_something_to_do() -> None:
    well = AIRBYTE.model_copy(update={"jobs_as_expected": 13})
    assert lines(a_report(exit_code=0, platforms=(well,)))[2:] == [
        "● 0 incidents   ◐ 0 platforms blind   ○ 13 jobs as expected",
        "",
        " quiet    Airbyte 13/13",
        " next     dogwatch runs",
    ]


def test_an_old_failure_of_a_sleeping_job_is_mentioned_but_does_not_count() -> None:
    shown = lines(a_report(a_finding(Severity.INFO, summary="Backfill failed in autumn")))
    assert shown[2].startswith("● 0 incidents")
    assert " INFO     Backfill failed in autumn · f1" in shown


def test_first_sight_clock_and_caveats_are_remarked() -> None:
    seen = AIRBYTE.model_copy(
        update={"baseline": True, "runs_read": 1980, "skew_seconds": -200.0, "caveats": ("no reasons",)}
    )
    shown = lines(a_report(platforms=(seen,)))
    assert " learned  Airbyte for the first time: 1,980 runs of 13 jobs; old failures are" in shown
    assert " clock    Airbyte is 3 min behind this machine" in shown
    assert " unseen   Airbyte: no reasons" in shown


def test_a_platform_that_was_never_read_says_so() -> None:
    never = DATABRICKS.model_copy(update={"read_until": None, "jobs": 0})
    shown = "\n".join(lines(a_report(platforms=(never,))))
    assert "it was never read whole; nothing is known of its jobs" in shown


def test_times_of_other_days_carry_the_day() -> None:
    shown = lines(a_report(an_incident(began_at=NOON - timedelta(days=2))))
    assert "          started   1 Mar 13:00, 2 d ago" in shown
    shown = lines(a_report(an_incident(began_at=NOON - timedelta(days=100))))
    assert "          started   23 Nov 2025 13:00, 100 d ago" in shown


HOSTILE = "[bold]a[/bold]\x1b[2J\x07b\u202ec\r\nERROR \u200bd <script>@here</script> ![x](http://evil) `q` |"


def test_a_hostile_name_can_neither_move_reorder_nor_colour() -> None:
    finding = a_finding(summary=HOSTILE, next_step=HOSTILE)
    incident = an_incident(title=HOSTILE, muted_by=HOSTILE, acknowledged_by=HOSTILE, state="acknowledged")
    platform = DATABRICKS.model_copy(update={"title": HOSTILE, "reason": HOSTILE, "hint": HOSTILE})
    shown = board(a_report(incident, finding, platforms=(platform,)), 80)
    assert not any(char in shown.plain for char in "\x1b\x07\r\u202e\u200b")
    assert "[bold]a[/bold]" in shown.plain
    assert not any(line.startswith(("ERROR", " ERROR \u200b")) for line in shown.plain.splitlines())


def test_markdown_says_the_same_and_a_hostile_name_stays_text() -> None:
    finding = a_finding(summary=HOSTILE, next_step="dogwatch runs --job `x`")
    told = markdown.check(a_report(an_incident(title=HOSTILE), finding))
    assert told.startswith("# dogwatch: 1 incident · 1 platform blind · 12 jobs as expected\n")
    assert "<script>" not in told
    assert "@here" not in told
    assert "\\[x\\](" in told
    assert "http://evil" not in told
    assert "- next: `` dogwatch runs --job `x` ``\n" in told
    assert not any(char in told for char in "\x1b\x07\r\u202e\u200b")


def test_advice_begins_with_the_command_as_the_reader_called_it() -> None:
    shown = board(
        a_report(an_incident(), a_finding()), 60, "x/dogwatch --config 'a b.yaml'"
    ).plain.splitlines()
    assert "                    x/dogwatch --config 'a b.yaml' runs --job orders" in shown
    assert "                    x/dogwatch --config 'a b.yaml' doctor databricks" in shown
    assert "- next: `x/dogwatch runs --job orders`" in markdown.check(
        a_report(an_incident(), a_finding()), "x/dogwatch"
    )
