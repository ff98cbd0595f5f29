"""The timetable and the explanation, as a tired person reads them."""

from datetime import timedelta
from typing import Any

import pytest
from rich.cells import cell_len

from dogwatch.model import (
    Basis,
    Evidence,
    EvidenceKind,
    ExpectationState,
    Finding,
    JobState,
    Severity,
    Status,
)
from dogwatch.model.report import Course, Explanation, JobTimes, Point, SlotView, Timetable
from dogwatch.report import markdown
from dogwatch.report.explain import explanation
from dogwatch.report.schedule import timetable
from support.cast import NOON

HOSTILE = "a\x1b[2J\n<b>@here</b> | \u202e`x`"


def a_slot(hours: float, state: ExpectationState = ExpectationState.met, **changes: Any) -> SlotView:
    due = NOON + timedelta(hours=hours)
    told: dict[str, Any] = {
        "scheduled_for": due,
        "start_by": due + timedelta(minutes=4),
        "state": state,
        "basis": Basis.schedule,
        **changes,
    }
    return SlotView(**told)


def met(hours: float) -> SlotView:
    return a_slot(
        hours,
        run_uid="u",
        native_run_id="4711",
        status=Status.success,
        started_at=NOON + timedelta(hours=hours, minutes=1),
        took_seconds=720.0,
    )


def a_job(**changes: Any) -> JobTimes:
    told: dict[str, Any] = {
        "instance": "airbyte",
        "platform": "airbyte",
        "job_id": "orders",
        "name": "Orders PG → RAW",
        "state": JobState.active,
        "told": "0 2 * * * UTC",
        "watched_since": NOON - timedelta(days=3),
        "read_until": NOON,
        "past": (a_slot(-10, ExpectationState.missed), met(-34)),
        "coming": (a_slot(14, ExpectationState.waiting),),
        **changes,
    }
    return JobTimes(**told)


def a_table(*jobs: JobTimes, more: int = 0) -> Timetable:
    return Timetable(at=NOON, timezone="Europe/Berlin", jobs=jobs, more=more)


def shown(found: Timetable, width: int = 80, *, in_full: bool = False) -> list[str]:
    return timetable(found, width, in_full=in_full).plain.splitlines()


def test_all_jobs_are_a_line_each() -> None:
    paused = a_job(name="ARCHIVE", state=JobState.paused, past=(), coming=())
    follows = a_job(name="LOAD_ORDERS", told="after Orders", after=("Orders",), past=(), coming=())
    assert shown(a_table(a_job(), follows, paused, more=2), 90) == [
        "dogwatch · 3 Mar 13:00 Berlin · 5 jobs",
        "",
        "next         in    last slots  job              platform  when",
        "4 Mar 03:00  14 h  ○●          Orders PG → RAW  airbyte   0 2 * * * UTC",
        "follows                        LOAD_ORDERS      airbyte   after Orders",
        "paused                         ARCHIVE          airbyte   0 2 * * * UTC",
        "",
        "○ met  ● missed  (the latest last)",
        "",
        "2 jobs more: dogwatch schedule --limit 5",
    ]


def test_one_job_is_told_with_its_slots() -> None:
    assert shown(a_table(a_job()), in_full=True) == [
        "dogwatch · 3 Mar 13:00 Berlin · 1 job",
        "",
        "Orders PG → RAW · airbyte",
        " when     0 2 * * * UTC",
        " watched  since 28 Feb 13:00; read until 13:00",
        " next     4 Mar 03:00, in 14 h; missed after 03:04",
        " past     03:00        ● missed   nothing began by 03:04",
        "          2 Mar 03:00  ○ met      began 2 Mar 03:01 (1 min after its time), took",
        "                                  12 min, run 4711",
    ]


@pytest.mark.parametrize("width", [60, 80, 110])
@pytest.mark.parametrize("in_full", [False, True])
def test_it_fits_and_a_hostile_name_stays_on_its_line(width: int, in_full: bool) -> None:
    job = a_job(name=HOSTILE * 9, told=HOSTILE * 9, instance=HOSTILE, state_reason=HOSTILE)
    lines = shown(a_table(job), width, in_full=in_full)
    assert all(cell_len(line) <= width for line in lines)
    assert not any(char in line for line in lines for char in "\x1b\u202e")


@pytest.mark.parametrize(
    ("state", "changes", "said"),
    [
        (ExpectationState.unseen, {}, "◐ unseen   its platform has not been read since"),
        (ExpectationState.excused, {"reason": "10 Mar is a holiday"}, "◌ excused  10 Mar is a holiday"),
        (ExpectationState.skipped, {}, "◌ skipped  the platform skipped it"),
        (ExpectationState.waiting, {}, "▷ waiting  may begin until 12:04"),
        (ExpectationState.late, {}, "◑ late     created, but still waits to start"),
    ],
)
def test_what_became_of_a_slot_is_said(state: ExpectationState, changes: dict[str, Any], said: str) -> None:
    lines = shown(a_table(a_job(past=(a_slot(-1, state, **changes),))), in_full=True)
    assert lines[-1].endswith(said)


def test_a_job_without_slots_says_why() -> None:
    lines = shown(
        a_table(a_job(past=(), coming=(), problem="cron 'x': five fields are needed")), in_full=True
    )
    assert " next     cron 'x': five fields are needed" in lines
    assert lines[-1] == " past     no slot of it was judged yet"


def test_no_job_teaches_where_jobs_come_from() -> None:
    assert "dogwatch check" in shown(a_table())[0]


RUN = Evidence.of(
    EvidenceKind.run,
    source="airbyte",
    subject="airbyte/orders",
    content={
        "native_run_id": "4711",
        "status": "success",
        "started_at": "2026-03-03T10:00:00Z",
        "ended_at": "2026-03-03T11:00:00Z",
        "metrics": {"rows": 1200.0},
    },
    at=NOON,
)
BASIS = Evidence.of(
    EvidenceKind.metric,
    source="airbyte",
    subject="airbyte/orders",
    content={"metric": "duration_seconds", "usual": 1200.0, "limit": 2000.0, "runs": 30, "recent": [1.0]},
    at=NOON,
)


def an_explanation(**changes: Any) -> Explanation:
    points = [Point(at=NOON + timedelta(days=n - 9), value=1200.0, status=Status.success) for n in range(10)]
    told: dict[str, Any] = {
        "at": NOON,
        "timezone": "Europe/Berlin",
        "finding": Finding(
            rule="slow",
            subject="airbyte/orders",
            severity=Severity.WARNING,
            summary="Orders PG → RAW took 1 h; it usually takes 20 min",
            evidence=(RUN.id, BASIS.id),
            fingerprint="abcdef",
            at=NOON - timedelta(hours=1),
            next_step="https://x.example/run  or: dogwatch runs --job orders",
        ),
        "first_seen": NOON - timedelta(minutes=45),
        "last_seen": NOON,
        "evidence": (RUN, BASIS),
        "course": Course(
            metric="duration_seconds",
            points=(*points[:-1], points[-1].model_copy(update={"value": 3600.0})),
            usual=1200.0,
            low=600.0,
            high=2000.0,
            known=30,
        ),
        "thresholds": {"slow_ratio": 1.63, "slower_by": "5m"},
        **changes,
    }
    return Explanation(**told)


def test_a_finding_is_told_with_its_numbers_and_a_picture() -> None:
    lines = explanation(an_explanation(), 80, "dw").plain.splitlines()
    assert lines[:13] == [
        "WARNING   Orders PG → RAW took 1 h; it usually takes 20 min",
        " rule     slow, about airbyte/orders",
        " started  12:00, 1 h ago",
        " told     first in the round of 12:15; still so at 13:00",
        " decided  slow_ratio 1.63 · slower_by 5m (jobs: in dogwatch.yaml)",
        f" rests on {RUN.id[:8]} run 4711 · success · began 11:00 · took 1 h · rows 1,200",
        f"          {BASIS.id[:8]} duration seconds: usual 20 min · limit 33 min · runs 30",
        " next     https://x.example/run",
        "          dw runs --job orders",
        "",
        "duration: usual 20 min, unusual below 10 min and above 33 min (30 successes);",
        "the latest 10 runs",
        "",
    ]
    assert lines[13].startswith("   1 h ┤")
    assert lines[-1] == "• a run   ● beyond the band   ░ usual for the newest"


def test_a_missed_run_is_told_with_its_slots() -> None:
    slots = (a_slot(-10, ExpectationState.missed), met(-34))
    lines = explanation(an_explanation(course=None, slots=slots, cleared_at=NOON), 80).plain.splitlines()
    assert lines[3] == " told     first in the round of 12:15; over since the round of 13:00"
    assert lines[-3].startswith(" past     03:00        ● missed")


def test_markdown_tells_the_same_and_escapes_what_platforms_say() -> None:
    hostile = an_explanation().finding.model_copy(update={"summary": HOSTILE})
    told = markdown.explanation(an_explanation(finding=hostile))
    assert "<b>" not in told
    assert "@here" not in told
    assert "    20 min ┤" in told
    table = markdown.schedule(a_table(a_job(name=HOSTILE)))
    assert len(table.splitlines()) == 3
    assert "<b>" not in table
