"""Our Snowflake SQL executed by a real SQL engine (fakesnow) behind the twin's SQL API endpoint.

``SHOW TASKS`` and ``TASK_HISTORY()`` do not exist there: those the twin answers in the vendor's shape.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dogwatch.lab.platforms.snowflake import Snowflake as Twin
from dogwatch.lab.platforms.snowflake import Table
from dogwatch.lab.world import Outcome
from dogwatch.model import Run
from support.clock import NOON, JumpingClock
from support.stage import Host, Stage, hosting
from support.worlds import run, runs_every, world

pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result:UserWarning"),
]
KIND = "snowflake"
COLUMNS = (
    "NAME text, DATABASE_NAME text, SCHEMA_NAME text, STATE text, ERROR_CODE text, ERROR_MESSAGE text,"
    " SCHEDULED_TIME timestamp_ltz, QUERY_START_TIME timestamp_ltz, COMPLETED_TIME timestamp_ltz,"
    " QUERY_ID text, RUN_ID number, ROOT_TASK_ID text, GRAPH_RUN_GROUP_ID number, ATTEMPT_NUMBER number,"
    " SCHEDULED_FROM text"
)


@pytest.fixture
def host() -> Iterator[Host]:
    with hosting() as hosted:
        yield hosted


@pytest.fixture
def cursor(require_real: bool) -> Iterator[Any]:
    try:
        import fakesnow
        import snowflake.connector
    except ImportError:
        if require_real:
            raise
        pytest.skip("fakesnow is not installed: uv sync --group real")
    with fakesnow.patch():
        connection = snowflake.connector.connect(database="SNOWFLAKE", schema="ACCOUNT_USAGE")
        yield connection.cursor()
        connection.close()


def cell(value: Any) -> str | None:
    """A value as the SQL API writes cells."""
    if isinstance(value, datetime):
        return f"{value.timestamp():.6f}000"
    return None if value is None else str(value)


def seed(cursor: Any, twin: Twin) -> None:
    """The view as a table, filled with what the twin would tell."""
    cursor.execute(f"create or replace table SNOWFLAKE.ACCOUNT_USAGE.TASK_HISTORY ({COLUMNS})")
    for row in twin._told(NOON - timedelta(days=30), settled_only=True):
        shown = []
        for name, value in row.items():
            if name.endswith("_TIME") and value is not None:
                moment = datetime.fromtimestamp(float(value), UTC).isoformat()
                shown.append(f"'{moment}'::timestamp_ltz")
            else:
                shown.append("null" if value is None else "'" + value.replace("'", "''") + "'")
        cursor.execute(f"insert into SNOWFLAKE.ACCOUNT_USAGE.TASK_HISTORY select {', '.join(shown)}")


def test_the_account_usage_query_runs_and_tells_the_same_as_the_twin(host: Host, cursor: Any) -> None:
    runs = [
        *runs_every(KIND, timedelta(hours=6), 80),
        run(KIND, 900, NOON - timedelta(days=10), outcome=Outcome.failed, error="Division by zero; it's odd"),
        run(KIND, 901, NOON - timedelta(days=11), outcome=Outcome.timed_out),
        run(KIND, 902, NOON - timedelta(days=12), outcome=Outcome.skipped),
    ]
    clock = JumpingClock()
    staged = Stage(KIND, world(KIND, runs, clock=clock), clock, host)
    assert isinstance(staged.twin, Twin)
    ask = staged.ask(since=NOON - timedelta(days=19))
    by_the_twin = facts(staged.reads(ask).sound().runs)
    seed(cursor, staged.twin)
    executed: list[str] = []

    def execute(statement: str, texts: Sequence[str]) -> Table:
        executed.append(statement)
        cursor.execute(statement)
        names = [column[0] for column in cursor.description]
        return names, [[cell(value) for value in row] for row in cursor.fetchall()]

    staged.twin.execute = execute
    assert facts(staged.reads(ask).sound().runs) == by_the_twin
    assert len(by_the_twin) > 60
    assert all("account_usage" in statement for statement in executed)


def facts(runs: list[Run]) -> dict[str, Run]:
    return {run.uid: run for run in runs}
