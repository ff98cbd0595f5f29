"""Which tables SQL and parameters name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from dogwatch.wire.tables import in_arguments, in_json, in_parameters, in_sql, values_of


@pytest.mark.parametrize(
    ("sql", "reads", "writes"),
    [
        (
            "merge into CORE.X t using (select * from RAW.ORDERS o join USERS u using (id)) s on t.id = s.id",
            ["DB.RAW.ORDERS", "DB.ETL.USERS"],
            ["DB.CORE.X"],
        ),
        (
            'insert into M.S (a) with c as (select 1 from r.a, r.b bb, r.c) select * from c join "R"."Odd" x',
            ["DB.r.a", "DB.r.b", "DB.r.c", "DB.R.Odd"],
            ["DB.M.S"],
        ),
        (
            "create or replace table t as select * from table(f()) union select * from @stage",
            [],
            ["DB.ETL.t"],
        ),
        ("begin insert into a.b select * from c.d; delete from e.f; end", ["DB.c.d"], ["DB.a.b", "DB.e.f"]),
        ("select extract(day from ts), trim(both 'x' from y) from a.b", ["DB.a.b"], []),
        ("select 1 from a.b where x is not distinct from y", ["DB.a.b"], []),
        ("-- from x\nselect * from a.b /* join c */ where z = 'from q'", ["DB.a.b"], []),
        ("truncate table if exists a.b; insert overwrite into a.b select * from c.d", ["DB.c.d"], ["DB.a.b"]),
        ("update X.a.b set q = 1 from c.d", ["DB.c.d"], ["X.a.b"]),
        ("copy into raw.orders from @s3/x", [], ["DB.raw.orders"]),
        ("call proc()", [], []),
        ("", [], []),
    ],
)
def test_tables_read_and_written_by_sql(sql: str, reads: list[str], writes: list[str]) -> None:
    found = in_sql(sql, "DB.ETL")
    assert (list(found.reads), list(found.writes)) == (reads, writes)


def test_the_name_of_a_parameter_tells_which_way_data_goes() -> None:
    found = in_parameters(
        [
            ("source_table", "main.raw.orders, main.raw.items"),
            ("target_table", "main.core.orders"),
            ("script", "jobs.load.py"),
            ("path", "/x/y.z"),
            ("host", "db.shop.com"),
            ("mail", "a.b@c.de"),
            ("query", "select * from x.y"),
            ("count", 7),
        ]
    )
    assert found.reads == ("main.raw.orders", "main.raw.items", "x.y")
    assert found.writes == ("main.core.orders",)


def test_arguments_of_a_command_line() -> None:
    found = in_arguments(["--input", "a.b.c", "--output-table=q.r.s", "run.py", "1.5", "x"])
    assert (found.reads, found.writes) == (("a.b.c",), ("q.r.s",))


def test_only_what_stands_under_parameters_counts() -> None:
    told: dict[str, JsonValue] = {
        "task_key": "a.b.c",
        "notebook_task": {"notebook_path": "d.e.f", "base_parameters": {"in": "g.h.i"}},
    }
    assert in_json([told]).reads == ("g.h.i",)
    assert list(values_of([{"x": {"run_job_task": {"job_id": 3}}}], "run_job_task", "job_id")) == [3]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(st.text(alphabet="abc.\"'`()[],; \n-/*$fromjinustwh", max_size=300), JSON)
def test_whatever_stands_there_nothing_breaks_and_nothing_is_both_read_and_written(
    text: str, value: object
) -> None:
    for found in (in_sql(text), in_json({"parameters": value})):  # type: ignore[dict-item]  # any JSON
        assert not set(found.reads) & set(found.writes)


@pytest.mark.parametrize(
    "text",
    [
        "from a, " * 9000,
        "with a as (" * 9000,
        "/*" * 30000,
        "'" * 60001,
        '"a".' * 20000,
        "create or replace " * 4000,
    ],
)
def test_hostile_sql_takes_no_longer_than_its_length(text: str) -> None:
    assert len(in_sql(text).writes) <= 1  # what hangs never gets here
