"""Stores whose audit trail is copied into real databases, and those databases."""

import asyncio
import random
import re
import weakref
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, closing, contextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

from dogwatch.hub.postgres import PostgresHubSettings
from dogwatch.hub.snowflake import SnowflakeHubSettings
from dogwatch.lab.platforms.snowflake import Snowflake as Twin
from dogwatch.lab.platforms.snowflake import SqlRefused, Table
from dogwatch.model import Incident, IncidentState, Run, Severity, Status, Turn, TurnKind, run_uid
from dogwatch.model.hub import HubVerdict, HubView
from dogwatch.registrar import Progress, Registrar
from dogwatch.settings import Settings
from dogwatch.settings.model import HubConfig
from dogwatch.store import Store, StoreThread, open_store
from dogwatch.store.incidents import Casebook
from dogwatch.wire.http import Doors, Pace
from support.clock import NOON, JumpingClock
from support.node import missing
from support.postgres import Postgres
from support.stage import Host, Way, hosting
from support.worlds import world

HEALTH = {
    "scope": "all",
    "kind": "all",
    "overall_health": "degraded",
    "summary": "2 of 40 jobs failed",
    "risk_level": "MEDIUM",
    "recommendations": ["Rerun Orders once"],
    "requires_notification": True,
    "notification_priority": "high",
    "findings": ["9f2c"],
}
_NUMBERS = count(1)
T = TypeVar("T")


def attempts(numbers: Sequence[int], status: Status = Status.success, **given: Any) -> list[Run]:
    """One run attempt for each number, of 40 jobs, a minute apart."""
    found: list[Run] = []
    for number in numbers:
        job, start = f"job-{number % 40}", NOON - timedelta(minutes=number + 10)
        ended = None if status.open else start + timedelta(seconds=90, microseconds=number)
        facts: dict[str, Any] = {
            "platform": "airbyte",
            "instance": "airbyte",
            "job_id": job,
            "job_name": f"Orders {number % 40} → RAW",
            "native_run_id": str(number),
            "status": status,
            "native_status": "succeeded" if status.good else status.value,
            "started_at": start,
            "ended_at": ended,
            "updated_at": ended or start,
            "error_message": None if status.good or status.open else "permission denied for table orders",
            "metrics": {"rows": float(number), "bytes": 1.5},
            "metadata": {"stream": "orders", "it's": ["odd", None, {"x": 1}]},
            "url": f"https://cloud.airbyte.example/jobs/{number}",
            "observed_at": NOON,
        }
        facts |= given
        uid = run_uid(facts["platform"], facts["instance"], facts["job_id"], facts["native_run_id"], 1)
        found.append(Run(uid=uid, **facts))
    return found


def an_incident(number: int, state: IncidentState = IncidentState.open, version: int = 1) -> Incident:
    """An incident without more to it than a row needs."""
    return Incident(
        number=number,
        key=f"key-{number}",
        state=state,
        severity=Severity.ERROR,
        title="Orders PG → RAW failed: permission denied",
        culprit="airbyte/job-1",
        culprit_name="Orders",
        findings=("9f2c",),
        opened_at=NOON,
        began_at=NOON,
        updated_at=NOON,
        version=version,
    )


class Place(Protocol):
    """A database that holds a hub, and what its owner may do with it."""

    config: HubConfig

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute a statement as the owner; the schema is written as ``{hub}``."""
        ...


class InPostgres:
    """A new schema of a real server's database."""

    def __init__(self, url: str, schema: str) -> None:
        self.url = url
        self.schema = schema
        given = PostgresHubSettings.model_validate({"url": url, "schema": schema})
        self.config = HubConfig(kind="postgres", settings=given)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """As the owner."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.replace("{hub}", self.schema).encode())
            return cursor.fetchall() if cursor.description else []


class InSnowflake:
    """A new schema of fakesnow, reached through the twin's SQL API."""

    def __init__(self, host: Host, cursor: Any) -> None:
        self._cursor = cursor
        self.schema = f"AUDIT_JOB_HUB_{next(_NUMBERS)}"
        self.twin = Twin(world("snowflake", [], clock=JumpingClock()))
        self.way = Way(self.twin.app())
        host.app = self.way
        self.twin.execute = self._execute
        given = {**self.twin.settings(host.url), **self.twin.credentials()}
        given |= {"database": "DEV_POWERAPPS", "schema": self.schema}
        self.config = HubConfig(kind="snowflake", settings=SnowflakeHubSettings.model_validate(given))

    def _execute(self, statement: str, texts: Sequence[str]) -> Table:
        import snowflake.connector

        try:
            self._cursor.execute(statement.replace("?", "%s"), list(texts) or None)
        except snowflake.connector.errors.ProgrammingError as error:
            raise SqlRefused("002003", "42S02", f"{error} or not authorized"[:300]) from error
        names = [column[0] for column in self._cursor.description]
        return names, [[_cell(value) for value in row] for row in self._cursor.fetchall()]

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """As the owner. Grants are only looked at: fakesnow knows no roles."""
        if re.match("grant ", statement, re.IGNORECASE):
            return []
        self._cursor.execute(statement.replace("{hub}", f"DEV_POWERAPPS.{self.schema}"))
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        return rows


def _cell(value: Any) -> str | None:
    """A value as the SQL API writes cells."""
    return None if value is None else str(value)


@contextmanager
def fakesnow_places(required: bool) -> Iterator[Callable[[], InSnowflake]]:
    """Makes places in one fakesnow; skips the test, or fails it, if it is not installed."""
    try:
        import fakesnow
        import snowflake.connector
    except ImportError:
        missing("fakesnow is not installed: uv sync --group real", required)
    where = {"database": "DEV_POWERAPPS", "schema": "PUBLIC"}
    with fakesnow.patch(), hosting() as host, closing(snowflake.connector.connect(**where)) as connection:
        yield lambda: InSnowflake(host, connection.cursor())


@contextmanager
def postgres_places(server: Postgres) -> Iterator[Callable[[], InPostgres]]:
    """The same in one server."""
    url = server.fresh()
    yield lambda: InPostgres(url, f"hub_{next(_NUMBERS)}")


class Watch:
    """A store whose audit trail is copied to a place."""

    def __init__(self, folder: Path, place: Place, start: datetime = NOON) -> None:
        self.place = place
        self.clock = JumpingClock(start)
        self.doors = Doors(
            clock=self.clock,
            pace=Pace(per_second=0, tries=1, timeout=600, patience=600),
            rng=random.Random(7),
        )
        self.store: Store = open_store(folder / "watch.db")
        weakref.finalize(self, self.store.close)
        self.settings = Settings(connectors={}, hub=place.config)

    def set_up(self) -> None:
        """The tables as the owner makes them."""
        with self._registrar() as registrar:
            tables, grants = registrar.ddl()
        for statement in (*tables, *grants):
            self.place.sql(statement)

    def round(self, runs: Iterable[Run] = (), incidents: Sequence[Incident] = ()) -> None:
        """A round that learns these, and is over after a minute."""
        now = self.clock.now()
        number = self.store.start_round(now)
        self.store.record(runs)
        turns = [
            Turn(
                number=one.number,
                version=one.version,
                at=now,
                actor="rules",
                kind=TurnKind.opened if one.version == 1 else TurnKind.changed,
                was=None,
                state=one.state,
                why="",
            )
            for one in incidents
        ]
        self.clock.move(timedelta(minutes=1))
        with self._registrar() as registrar:
            self.store.end_round(
                number,
                now,
                ended_at=self.clock.now(),
                exit_code=1,
                body={"findings": [{}], "platforms": [], "health": [{**HEALTH, "at": now.isoformat()}]},
                findings=(),
                evidence=(),
                casebook=Casebook(incidents=incidents, turns=turns),
                feeds=registrar.feeds,
            )

    def sync(self, longest: timedelta | None = None) -> HubView:
        """What the end of a round does."""
        return self._do(lambda one: one.sync("me", self.doors.rng, longest))

    def again(self, *, afresh: bool = False, progress: Progress | None = None) -> HubView:
        """What ``dogwatch hub sync`` does."""

        async def both(registrar: Registrar) -> HubView | None:
            await registrar.register(afresh)
            return await registrar.sync("me", self.doors.rng, None, progress)

        return self._do(both)

    def verify(self) -> HubVerdict:
        """Both sides compared."""
        return self._do(lambda one: one.verify())

    def status(self) -> HubView:
        """How it stands."""
        return self._do(lambda one: one.status())

    def _do(self, what: Callable[[Registrar], Awaitable[T | None]]) -> T:
        async def doing() -> T | None:
            thread = StoreThread()
            try:
                async with AsyncExitStack() as stack:
                    return await what(Registrar(self.settings, self.doors, self.store, thread, stack))
            finally:
                thread.close()

        found = asyncio.run(doing())
        assert found is not None
        return found

    @contextmanager
    def _registrar(self) -> Iterator[Registrar]:
        thread = StoreThread()
        stack = AsyncExitStack()
        try:
            yield Registrar(self.settings, self.doors, self.store, thread, stack)
        finally:
            asyncio.run(stack.aclose())
            thread.close()


def counts(found: HubVerdict) -> dict[str, tuple[int, int, int]]:
    """By table: here, there, the same."""
    return {one.table: (one.here, one.there, one.same) for one in found.tables}
