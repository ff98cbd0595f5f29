"""Who is in the way of harm, and which deadlines break by when."""

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dogwatch.model import Affected, Deadline, Harm
from dogwatch.pipelines.blast import blast, deadlines
from dogwatch.pipelines.build import graph_of
from dogwatch.pipelines.graph import EdgeBasis, Graph
from dogwatch.pipelines.spec import FreshBy, Pipeline
from support.graphs import GRAPHS, edge, job

TWO = datetime(2026, 3, 3, 2, 4, tzinfo=UTC)
BERLIN = FreshBy(at=time(6), timezone="Europe/Berlin")


def shop(fresh: FreshBy | None = BERLIN) -> Graph:
    jobs = [
        job("airbyte/orders", owner="data@shop.example"),
        job("snowflake/load", after=("gate",), owner="data@shop.example"),
        job("snowflake/gate", reads=["A.RAW.ORDERS"]),
        job("databricks/daily", reads=["A.CORE.LOAD"], owner="bi@shop.example"),
        job("airbyte/other"),
    ]
    jobs[0] = jobs[0].model_copy(update={"metadata": {"writes": ["RAW.ORDERS"]}})
    jobs[1] = jobs[1].model_copy(update={"metadata": {"writes": ["A.CORE.LOAD"]}})
    lines = [
        Pipeline(name="sales", jobs=("databricks/daily",), fresh_by=fresh, owner="sales@shop.example"),
        Pipeline(name="other", jobs=("airbyte/other",), fresh_by=fresh),
    ]
    return graph_of(jobs, lines)


def test_harm_reaches_what_starts_and_what_reads_each_in_its_way() -> None:
    at = TWO + timedelta(hours=1, minutes=26)
    coming = {"snowflake/gate": TWO + timedelta(hours=1), "databricks/daily": at}
    found = blast(shop(), "airbyte/orders", TWO, TWO + timedelta(minutes=6), coming=coming)
    told = [(hit.subject, hit.distance, hit.stopped, hit.at) for hit in found.hits]
    assert told == [
        ("snowflake/gate", 1, False, coming["snowflake/gate"]),
        ("snowflake/load", 2, False, coming["snowflake/gate"]),  # it starts when the gate is done
        ("databricks/daily", 3, False, at),
    ]
    assert found.pipelines == ("sales",)
    assert found.owners == ("data@shop.example", "bi@shop.example", "sales@shop.example")
    assert found.deadlines == (
        Deadline(pipeline="sales", due=datetime(2026, 3, 3, 5, tzinfo=UTC), missed=False),
    )


def test_what_is_started_by_something_that_does_not_start_does_not_start() -> None:
    graph = Graph(
        edges=[
            edge("a>b", triggers=True),
            edge("b>c", triggers=True),
            edge("c>d"),
            edge("d>e", triggers=True),
        ]
    )
    assert [hit.stopped for hit in blast(graph, "a", TWO, TWO).hits] == [True, True, False, False]


def test_suggestions_carry_no_harm() -> None:
    graph = Graph(edges=[edge("a>b", EdgeBasis.habit, triggers=True)])
    assert blast(graph, "a", TWO, TWO).hits == ()


def test_a_deadline_that_passed_is_missed_and_the_next_one_is_told_when_it_is_near() -> None:
    hit = [Affected(subject="databricks/daily", name="daily", harm=Harm.stale, since=TWO)]

    def told(hours: float) -> list[tuple[int, bool]]:
        found = deadlines(
            shop(), ["airbyte/orders"], hit, {"airbyte/orders": TWO}, TWO + timedelta(hours=hours)
        )
        return [(one.due.day, one.missed) for one in found]

    assert told(0.1) == [(3, False)]
    assert told(3) == [(3, True)]
    assert told(20) == [(3, True), (4, False)]


def test_a_far_deadline_is_quiet_if_the_job_runs_again_before() -> None:
    began = TWO + timedelta(hours=4)
    hit = [Affected(subject="databricks/daily", name="daily", harm=Harm.failed, since=began)]
    coming = {"databricks/daily": began + timedelta(hours=20)}
    assert deadlines(shop(), [], hit, {}, began, coming=coming) == []
    assert len(deadlines(shop(), [], hit, {}, began)) == 1


def test_pipelines_that_are_not_touched_and_promises_that_were_not_made_break_nothing() -> None:
    assert deadlines(shop(None), ["databricks/daily"], [], {}, TWO) == []
    assert deadlines(shop(), ["airbyte/orders"], [], {}, TWO) == []


def test_deadlines_follow_the_wall_clock_through_the_change_of_time() -> None:
    early = FreshBy(at=time(2, 30), timezone="Europe/Berlin")
    assert early.on(date(2026, 3, 28)) == datetime(2026, 3, 28, 1, 30, tzinfo=UTC)
    assert early.on(date(2026, 3, 29)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # skipped: 03:30
    assert early.on(date(2026, 3, 30)) == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)
    assert early.on(date(2026, 10, 25)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # the first of two


def test_deadlines_hold_on_their_days_alone() -> None:
    workdays = FreshBy(at=time(6), timezone="UTC", days=(0, 1, 2, 3, 4))
    friday = datetime(2026, 3, 6, 7, tzinfo=UTC)
    assert workdays.following(friday) == datetime(2026, 3, 9, 6, tzinfo=UTC)


@given(
    st.integers(0, 86_400 * 3_650).map(lambda second: TWO + timedelta(seconds=second)),
    st.times(),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]),
    st.lists(st.integers(0, 6), max_size=7),
)
def test_the_next_deadline_is_the_next(moment: datetime, at: time, zone: str, days: list[int]) -> None:
    fresh = FreshBy(at=at.replace(tzinfo=None), timezone=zone, days=tuple(days))
    due = fresh.following(moment)
    assert moment <= due <= moment + timedelta(days=8, hours=2)
    assert fresh.following(due) == due


@given(GRAPHS)
def test_every_hit_lies_behind_the_culprit_and_none_is_told_twice(graph: Graph) -> None:
    for culprit in graph.nodes:
        hits = blast(graph, culprit, TWO, TWO).hits
        behind = graph.descendants(culprit, suggested=False)
        assert {hit.subject: hit.distance for hit in hits} == dict(behind)
        assert all(len(hit.via) == hit.distance - 1 for hit in hits)
