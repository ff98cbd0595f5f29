"""What is looked up in turn: nothing is forgotten, whoever comes and goes."""

import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from dogwatch.model import Run, Status
from dogwatch.wire.connector import Ask
from dogwatch.wire.rota import LEAST, WITHIN, whose_turn
from support.clock import NOON

QUARTER = timedelta(minutes=15)


def failed(number: int, hours_ago: float = 12) -> Run:
    ended = NOON - timedelta(hours=hours_ago)
    return Run(
        uid=f"{number:032x}",
        platform="databricks",
        instance="databricks",
        job_id=f"job-{number}",
        job_name=f"job {number}",
        native_run_id=f"{number:05d}",
        status=Status.failed,
        native_status="FAILED",
        started_at=ended - timedelta(minutes=5),
        ended_at=ended,
        observed_at=ended,
    )


def asking(runs: Iterable[Run], **changes: Any) -> Ask:
    known = {run.native_run_id: run for run in runs}
    values = {"now": NOON, "since": NOON, "details_since": NOON, "previous": NOON - QUARTER, **changes}
    return Ask(known=known, broken=frozenset(run.job_id for run in known.values()), **values)


def test_a_few_are_looked_up_in_every_round() -> None:
    runs = [failed(number) for number in range(LEAST)]
    assert whose_turn(asking(runs), set())[0] == [run.native_run_id for run in runs]
    assert whose_turn(asking(()), set()) == ([], "")


def test_of_many_each_comes_up_in_time_and_no_round_asks_for_all() -> None:
    for many, rounds in ((36, 5), (1_000, WITHIN // QUARTER)):
        runs, resume, seen = [failed(number) for number in range(many)], "", list[str]()
        for _ in range(rounds):
            chosen, resume = whose_turn(asking(runs, resume=resume), set())
            assert len(chosen) <= max(LEAST, many * QUARTER / WITHIN + 1)
            seen += chosen
        assert set(seen) == {run.native_run_id for run in runs}


def test_each_comes_up_in_time_whoever_comes_and_goes_meanwhile() -> None:
    rng = random.Random(5)
    staying = [failed(number) for number in range(0, 200, 5)]
    resume, seen = "", set[str]()
    for _ in range(WITHIN // QUARTER):
        others = [failed(number) for number in rng.sample([n for n in range(200) if n % 5], 20)]
        chosen, resume = whose_turn(asking([*staying, *others], resume=resume), set())
        seen.update(chosen)
    assert {run.native_run_id for run in staying} <= seen


def test_what_failed_a_while_ago_is_looked_up_in_every_round_and_what_was_listed_in_none() -> None:
    runs = [failed(number) for number in range(40)]
    late = [failed(number, hours_ago=0.5) for number in range(40, 60)]
    chosen, resume = whose_turn(asking([*runs, *late], resume="00010"), {"00012", "00041"})
    assert chosen[:19] == [run.native_run_id for run in late if run.native_run_id != "00041"]
    assert chosen[19:] == ["00011", "00013", "00014", "00015", "00016", "00017", "00018", "00019"]
    assert resume == "00019"


def test_nobody_waits_for_a_turn_after_a_pause_or_if_something_was_told_or_done() -> None:
    runs = [failed(number) for number in range(50)]
    for hurry in ({"urgent": True}, {"previous": NOON - WITHIN}, {"previous": None}):
        assert len(whose_turn(asking(runs, **hurry), set())[0]) == 50


def test_only_a_broken_jobs_last_run_of_two_days_is_looked_up() -> None:
    older = failed(1, hours_ago=20).model_copy(update={"job_id": "job-2"})
    runs = [
        older,
        failed(2),
        failed(3, hours_ago=60),
        failed(4).model_copy(update={"status": Status.running}),
    ]
    assert whose_turn(asking(runs), set())[0] == ["00002"]
