"""The audit trail in PostgreSQL, and in fakesnow behind the twin's SQL API: one suite for both."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dogwatch.model import IncidentState, Status
from support.hubs import Place, Watch, an_incident, attempts, counts, fakesnow_places, postgres_places

pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result:UserWarning"),
]


ONE = pytest.mark.parametrize("places", ["postgres"], indirect=True)
"""For what does not depend on a database's own SQL: fakesnow takes seconds for what others do in a moment."""


@pytest.fixture(scope="module", params=["postgres", "snowflake"])
def places(request: pytest.FixtureRequest, require_real: bool) -> Iterator[Callable[[], Place]]:
    if request.param == "postgres":
        with postgres_places(request.getfixturevalue("postgres")) as found:
            yield found
    else:
        with fakesnow_places(require_real) as found:
            yield found


@pytest.fixture
def watch(places: Callable[[], Place], tmp_path: Path) -> Watch:
    found = Watch(tmp_path, places())
    found.set_up()
    return found


def test_what_a_round_learned_is_there_and_the_same_and_stays_so_when_it_is_sent_again(watch: Watch) -> None:
    watch.set_up()  # making the tables again does no harm
    watch.round(attempts(range(20)), [an_incident(1)])
    view = watch.sync()
    assert (view.state, view.waiting, dict(view.sent)) == (
        "whole",
        0,
        {"runs": 20, "incidents": 1, "rounds": 1},
    )
    once = {
        "JOB_STATUS": (20,) * 3,
        "ROUNDS": (1,) * 3,
        "HEALTH_ASSESSMENTS": (1,) * 3,
        "INCIDENTS": (1,) * 3,
    }
    assert counts(watch.verify()) == once
    assert watch.again(afresh=True).sent["runs"] == 20
    found = watch.verify()
    assert (counts(found), found.differing, found.waiting) == (once, 0, 0)


@ONE
def test_only_what_is_new_is_sent_and_the_newest_state_of_each_attempt_is_kept(watch: Watch) -> None:
    watch.round(attempts(range(5), Status.running))
    watch.sync()
    watch.round(attempts([3], Status.failed), [an_incident(1)])
    assert dict(watch.sync().sent) == {"runs": 1, "incidents": 1, "rounds": 1}
    watch.round(incidents=[an_incident(1, IncidentState.resolved, 2)])
    assert dict(watch.sync().sent) == {"incidents": 1, "rounds": 1}
    rows = watch.place.sql("select native_run_id, status, error_message from {hub}.job_status order by 1")
    said = "permission denied for table orders"
    assert rows == [
        *((str(one), "running", None) for one in (0, 1, 2)),
        ("3", "failed", said),
        ("4", "running", None),
    ]
    assert watch.place.sql("select name, state from {hub}.incidents") == [("INC-1", "resolved")]
    assert watch.verify().differing == 0


def test_an_older_state_never_replaces_a_newer_one(watch: Watch, tmp_path: Path) -> None:
    watch.round(attempts([1], Status.failed))
    watch.sync()
    (tmp_path / "behind").mkdir()
    behind = Watch(tmp_path / "behind", watch.place)  # another store, which has not heard of the failure
    behind.round(attempts([1], Status.running))
    behind.sync()
    assert watch.place.sql("select status from {hub}.job_status") == [("failed",)]
    assert (watch.verify().differing, behind.verify().differing) == (0, 1)


def test_the_view_tells_the_newest_attempt_of_each_job(watch: Watch) -> None:
    watch.round([*attempts([80], Status.failed), *attempts([40, 0, 1])])
    watch.sync()
    rows = watch.place.sql("select job_id, native_run_id, status from {hub}.current_status order by 1")
    assert rows == [("job-0", "0", "success"), ("job-1", "1", "success")]


def test_every_column_holds_what_the_record_says(watch: Watch) -> None:
    watch.round(attempts([7], Status.timed_out))
    watch.sync()
    names = "job_id, platform, job_name, status, duration_seconds, error_message, instance, attempt, is_final"
    (row,) = watch.place.sql(f"select {names} from {{hub}}.job_status")
    said = "permission denied for table orders"
    assert row == ("job-7", "airbyte", "Orders 7 → RAW", "timed_out", 90, said, "airbyte", 1, True)
    (moments,) = watch.place.sql("select last_run_time, checked_at, ended_at from {hub}.job_status")
    (run,) = watch.store.runs_by_uid(run.uid for run in attempts([7])).values()
    assert moments == (run.began_at, run.observed_at, run.ended_at)


ODD = (
    "quotes ' and \" and \\ and {hub} and %s and ? and ; drop table job_status --",
    "a null byte \x00 in the middle",
    "\u202eright to left, emoji 🐕, \t tab, \r\n lines, \x1b[31m colour, \x7f",
    "x" * 100_000,
)


def test_whatever_a_platform_says_stays_text(watch: Watch) -> None:
    watch.round(
        run
        for number, odd in enumerate(ODD)
        for run in attempts(
            [number], Status.failed, error_message=odd, job_name=odd[:200], metadata={odd[:50]: [odd]}
        )
    )
    assert watch.sync().state == "whole"
    rows = watch.place.sql("select error_message from {hub}.job_status order by native_run_id")
    assert [row[0] for row in rows] == [odd.replace("\x00", "\ufffd") for odd in ODD]
    assert watch.verify().differing == 0


def test_what_somebody_changed_deleted_or_doubled_there_is_named(watch: Watch) -> None:
    watch.round(attempts(range(8)))
    watch.sync()
    one, two, three = (run.uid for run in attempts([1, 2, 3]))
    watch.place.sql(f"update {{hub}}.job_status set status = 'failed' where uid = '{one}'")
    watch.place.sql(f"delete from {{hub}}.job_status where uid = '{two}'")
    found = watch.verify()
    named = {(difference.uid, difference.what) for difference in found.differences}
    assert named == {(one, "different"), (two, "missing")}
    assert any("Orders 1 → RAW (airbyte), run 1, attempt 1" in one.name for one in found.differences)
    if watch.place.config.kind == "snowflake":  # its primary keys are words only; fakesnow's are not
        watch.place.sql("create or replace table {hub}.job_status as select * from {hub}.job_status")
        watch.place.sql(
            f"insert into {{hub}}.job_status select * from {{hub}}.job_status where uid = '{three}'"
        )
        assert (three, "doubled") in {(one.uid, one.what) for one in watch.verify().differences}
        watch.place.sql(f"delete from {{hub}}.job_status where uid = '{three}'")
    watch.place.sql(f"delete from {{hub}}.job_status where uid = '{one}'")
    watch.again(afresh=True)
    assert watch.verify().differing == 0


@ONE
def test_rows_that_the_store_forgot_are_counted_and_no_difference(watch: Watch, tmp_path: Path) -> None:
    watch.round(attempts(range(10)))
    watch.sync()
    (tmp_path / "new").mkdir()
    new = Watch(tmp_path / "new", watch.place, watch.clock.now())
    new.round(attempts(range(5, 15)))
    new.sync()
    found = new.verify()
    assert (found.differing, found.tables[0].more, found.tables[1].more) == (0, 5, 1)


@ONE
def test_without_tables_everything_waits_and_nothing_is_lost(
    places: Callable[[], Place], tmp_path: Path
) -> None:
    watch = Watch(tmp_path, places())
    watch.round(attempts(range(20)))
    view = watch.sync()
    assert (view.state, view.waiting) == ("failing", 20)
    assert "has no tables of dogwatch" in view.reason
    assert "dogwatch hub ddl" in view.hint
    watch.round(attempts(range(20, 30)))
    watch.set_up()
    watch.clock.move(timedelta(minutes=15))
    assert watch.sync().state == "whole"
    assert counts(watch.verify())["JOB_STATUS"] == (30, 30, 30)


@ONE
def test_a_hub_that_is_half_there_takes_what_it_can_and_gets_the_rest_later(watch: Watch) -> None:
    watch.place.sql("alter table {hub}.rounds rename to kept_elsewhere")
    watch.round(attempts(range(20)))
    view = watch.sync()
    assert (view.state, dict(view.sent)) == ("failing", {"runs": 20})
    watch.place.sql("alter table {hub}.kept_elsewhere rename to rounds")
    assert dict(watch.again().sent) == {"rounds": 1}
    assert watch.verify().differing == 0


def test_tables_of_another_version_are_not_written_to(watch: Watch) -> None:
    watch.place.sql("update {hub}.schema_version set version = 99")
    watch.round(attempts([1]))
    view = watch.sync()
    assert (view.state, view.waiting) == ("failing", 1)
    assert "schema version 99" in view.reason
