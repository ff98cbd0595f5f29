"""Edges out of what platforms tell: predecessors, triggers, tables."""

from dogwatch.model import Schedule, ScheduleKind
from dogwatch.pipelines.build import graph_of
from dogwatch.pipelines.graph import EdgeBasis
from dogwatch.pipelines.spec import Pipeline
from dogwatch.pipelines.tables import likeness, parts_of
from support.graphs import job


def told(*jobs: object, **more: object) -> dict[str, tuple[str, bool, float]]:
    found = graph_of(list(jobs), **more)  # type: ignore[arg-type]  # as given
    return {f"{e.upstream}>{e.downstream}": (e.basis.value, e.triggers, e.confidence) for e in found.edges}


def test_predecessors_started_jobs_and_jobs_that_are_followed_are_triggers() -> None:
    found = told(
        job("db/1", starts=["2"]),
        job("db/2"),
        job("db/3", follows=["2"]),
        job("sf/t", after=("root",)),
        job("sf/root"),
    )
    assert found == {
        "db/1>db/2": ("platform", True, 1.0),
        "db/2>db/3": ("platform", True, 1.0),
        "sf/root>sf/t": ("platform", True, 1.0),
    }


def test_a_table_that_one_writes_and_another_reads_joins_them() -> None:
    found = told(
        job("airbyte/c", writes=["RAW.orders"]),
        job("snowflake/t", reads=["ANALYTICS.RAW.ORDERS"], writes=["ANALYTICS.CORE.ORDERS"]),
        job("databricks/d", reads=["sf_prod.core.orders"]),
        job("databricks/e", awaits=["sf_prod.core.orders"]),
    )
    assert found == {
        "airbyte/c>snowflake/t": ("table", False, 0.85),
        "snowflake/t>databricks/d": ("table", False, 0.85),  # a foreign catalog goes by another name
        "snowflake/t>databricks/e": ("table", True, 0.85),
    }


def test_equal_tables_of_other_catalogs_of_the_same_platform_are_others() -> None:
    assert told(job("sf/a", writes=["DEV.CORE.ORDERS"]), job("sf/b", reads=["PROD.CORE.ORDERS"])) == {}


def test_a_bare_name_is_a_suggestion_and_none_if_several_write_it() -> None:
    reader = job("sf/r", reads=["DB.S.ORDERS"])
    found = told(job("airbyte/a", writes=["orders"]), reader)
    assert found == {"airbyte/a>sf/r": ("table", False, 0.6)}
    assert told(job("airbyte/a", writes=["orders"]), job("airbyte/b", writes=["orders"]), reader) == {}


def test_a_complete_name_silences_a_bare_one() -> None:
    found = told(
        job("airbyte/a", writes=["orders"]),
        job("sf/w", writes=["DB.S.ORDERS"]),
        job("sf/r", reads=["DB.S.ORDERS"]),
    )
    assert list(found) == ["sf/w>sf/r"]


def test_a_table_that_many_write_joins_nobody_for_certain() -> None:
    writers = [job(f"sf/{number}", writes=["DB.S.LOG"]) for number in range(7)]
    found = graph_of([*writers, job("sf/r", reads=["DB.S.LOG"])])
    assert len(found.edges) == 7
    assert not found.certain


def test_names_are_the_same_whatever_their_case_quotes_and_odd_characters() -> None:
    assert parts_of('DB."Raw".`crm-contacts`') == ("crm_contacts", "raw", "db")
    assert likeness(parts_of("a.b.c"), parts_of('A."B".C'), abroad=False) > 0.9
    assert likeness(parts_of(""), parts_of("a"), abroad=True) == 0.0


def test_metadata_that_is_no_list_of_texts_tells_nothing() -> None:
    odd = job("sf/a", metadata={"reads": "x", "writes": [1, None], "starts": {"a": 1}})
    assert told(odd) == {}


def test_pipelines_name_jobs_by_id_name_or_pattern_and_say_who_is_unknown() -> None:
    jobs = [job("airbyte/u-1", "Orders [PG] → RAW"), job("snowflake/DB.S.LOAD"), job("snowflake/DB.M.MART")]
    wanted = Pipeline(
        name="sales",
        jobs=("airbyte/Orders [PG] → RAW", "snowflake/db.*", "databricks/none", "component/api"),
        edges=(("Orders [PG] → RAW", "snowflake/DB.S.LOAD"), ("component/api", "airbyte/u-1")),
    )
    found = graph_of(jobs, [wanted])
    members = found.pipelines["sales"]
    assert members.subjects == ("airbyte/u-1", "snowflake/DB.S.LOAD", "snowflake/DB.M.MART", "component/api")
    assert members.unmatched == ("databricks/none",)
    assert {(e.upstream, e.downstream) for e in found.edges if e.basis is EdgeBasis.declared} == {
        ("airbyte/u-1", "snowflake/DB.S.LOAD"),
        ("component/api", "airbyte/u-1"),
    }
    assert found.pipelines_of("snowflake/DB.M.MART") == ("sales",)


def test_a_declared_edge_starts_a_job_that_nothing_else_starts() -> None:
    manual = Schedule(kind=ScheduleKind.manual)
    line = Pipeline(name="x", jobs=("p/a", "p/b", "p/c"), edges=(("p/a", "p/b"), ("p/a", "p/c")))
    found = told(job("p/a"), job("p/b", schedule=manual), job("p/c"), declared=[line])
    assert found == {"p/a>p/b": ("declared", True, 1.0), "p/a>p/c": ("declared", False, 1.0)}
