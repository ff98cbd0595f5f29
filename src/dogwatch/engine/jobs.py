"""The queue of a team: steps of rounds as jobs of Procrastinate, in the store's database.

The only file that knows Procrastinate (3.10, https://procrastinate.readthedocs.io). What has to be done is
told by the store; a job only says to somebody that he may do it now. So jobs may get lost, come twice, or be
run by two workers, and the tables of the queue may be dropped at any time: whoever looks next puts what is
missing. They live in a schema of their own, named for the version, so that an upgrade begins with a new one.

Of the queue we use: names under which a job waits only once (``queueing_lock``), locks under which one job
at a time is under way on all workers (``lock``), and heartbeats, by which work of the dead is found.
"""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from dogwatch.errors import StoreError
from dogwatch.wire.bucket import AT_ONCE

if TYPE_CHECKING:
    from procrastinate import App
    from procrastinate.jobs import Job

INSTALL = 'pip install "dogwatch[team]"'
BEAT, STALE = 5.0, 20.0
"""Seconds between two heartbeats of a worker, and after how many without one it is taken for dead."""
_QUEUE, _LOGS = "dogwatch", "dogwatch logs"
"""Shares of logs wait by themselves: they are work for a processor, of which a worker has one."""
_POLL = 1.0
"""Seconds between two looks at the queue; new jobs are told at once, those that were put back are not."""
_GRACE = 25.0
"""Seconds that jobs under way have to come to their end when the worker stops."""
_CONNECT_SECONDS = 10
_IDLE_MS = 10_000
"""Who is silent for so long in the midst of a transaction (a stopped process) is thrown out by the server:
others may wait for a row that he holds. Here a transaction is one statement."""
_WAIT_MS = 45_000
"""So long somebody waits for such a row."""
_MAKING = 0x646F67776A6F
"""The advisory lock of those who make the tables."""
BEGIN = "begin"
_MINE = "mine"
_URGENCY = {BEGIN: 50, "conclude": 40, "act": 40, "read": 30, _MINE: 30, "follow": 20, "investigate": 10}
"""What is begun is brought to its end before something new is begun; what agents do can wait."""

Todo: TypeAlias = tuple[int, str, str]
"""The round's number, the kind of step, and what it is about; ``(0, BEGIN, "")`` begins a round."""
Do: TypeAlias = Callable[[Todo], Awaitable[None]]


class Jobs:
    """A queue that is open. Every method raises StoreError if the database cannot be reached."""

    def __init__(self, app: "App") -> None:
        self._app = app

    async def known(self) -> set[str]:
        """The names of all jobs that wait or are under way."""
        with translated():
            jobs = await self._app.job_manager.list_jobs_async()
            return {job.queueing_lock or "" for job in jobs if job.status in ("todo", "doing")}

    async def put(self, todo: Todo, *, wait: int = 0) -> None:
        """Let a step be done, in ``wait`` seconds at the earliest; nothing happens if it waits already.

        Of a platform's steps one at a time is done, however many workers there are, and of the shares of a
        log ``AT_ONCE``: what its connector allows itself in requests holds for all of them together.
        """
        from procrastinate.exceptions import AlreadyEnqueued

        number, kind, about = todo
        with translated():
            job = self._app.configure_task(
                "step",
                queue=_LOGS if kind == _MINE else _QUEUE,
                lock=_lock_of(todo),
                queueing_lock=name_of(todo),
                priority=_URGENCY[kind],
                schedule_in={"seconds": wait} if wait else None,
            )
            try:
                await job.defer_async(number=number, kind=kind, about=about)
            except AlreadyEnqueued:
                return

    async def take_over(self, stale: float) -> int:
        """Give the jobs of workers that have had no heartbeat for ``stale`` seconds to others; how many."""
        from procrastinate.exceptions import ConnectorException, UniqueViolation

        with translated():
            found = list(await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=stale))
        for job in found:
            try:
                await self._app.job_manager.retry_job(job)
            except UniqueViolation:  # the same waits already
                await self._forget(job)
            except ConnectorException:  # somebody was quicker
                continue
        return len(found)

    async def _forget(self, job: "Job") -> None:
        from procrastinate.exceptions import ConnectorException
        from procrastinate.jobs import Status

        try:
            await self._app.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)
        except ConnectorException:  # it is gone
            return

    async def work(self, name: str, concurrency: int, beat: float, stale: float) -> None:
        """Do what is put, so many steps and one share of a log at a time, until cancelled: then what is under
        way has ``_GRACE`` seconds. Also ends when the database is gone for a moment."""
        both = [
            asyncio.ensure_future(self._work(queue, name, most, beat, stale))
            for queue, most in ((_QUEUE, concurrency), (_LOGS, 1))
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()
            ends = await asyncio.gather(*both, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _work(self, queue: str, name: str, concurrency: int, beat: float, stale: float) -> None:
        with translated():
            await self._app.run_worker_async(
                queues=[queue],
                name=name,
                concurrency=concurrency,
                fetch_job_polling_interval=min(_POLL, beat),
                update_heartbeat_interval=beat,
                stalled_worker_timeout=stale,
                shutdown_graceful_timeout=_GRACE,
                install_signal_handlers=False,
                delete_jobs="always",
            )


def name_of(todo: Todo) -> str:
    """Under this name it waits once."""
    return f"{todo[0]} {todo[1]} {todo[2]}"


def _lock_of(todo: Todo) -> str:
    """Of steps with the same one at a time is under way."""
    _, kind, about = todo
    if kind == "read":
        return f"platform {about}"
    if kind == _MINE:
        platform, _, number = about.rpartition("/")
        return f"log {int(number) % AT_ONCE} {platform}"
    return name_of(todo)


@asynccontextmanager
async def opened(store: str, password: str, do: Do, *, room: int = 4) -> AsyncGenerator[Jobs]:
    """The queue in the database at ``store``, made if it is not there yet; ``do`` does a step.

    ``room`` is how many connections it may take. Raises StoreError.
    """
    import procrastinate
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    schema = f"dogwatch_jobs_{procrastinate.__version__.replace('.', '_')}"
    with translated():
        given = str(conninfo_to_dict(store).get("options") or "")
        way = make_conninfo(
            store,
            **({"password": password} if password else {}),
            options=f"{given} -c search_path={schema} -c lock_timeout={_WAIT_MS}"
            f" -c idle_in_transaction_session_timeout={_IDLE_MS}".strip(),
            connect_timeout=_CONNECT_SECONDS,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            application_name=f"dogwatch worker pid {os.getpid()}",
        )
        await _make(way, schema)
    connector = procrastinate.PsycopgConnector(conninfo=way, min_size=1, max_size=room)
    app = procrastinate.App(connector=connector)

    @app.task(name="step")
    async def step(number: int, kind: str, about: str) -> None:
        await do((number, kind, about))

    assert step is not None
    with translated():
        await app.open_async()
    try:
        yield Jobs(app)
    finally:
        await app.close_async()


async def _make(way: str, schema: str) -> None:
    """The tables of the queue, all of them or none."""
    import psycopg
    from procrastinate.schema import SchemaManager
    from psycopg import sql

    async with await psycopg.AsyncConnection.connect(way) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
        there = await connection.execute("SELECT to_regnamespace(%s)", (schema,))
        row = await there.fetchone()
        if row is None or row[0] is None:
            await connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
            await connection.execute(SchemaManager.get_schema())


@contextmanager
def translated() -> Generator[None]:
    """Within it, errors of the queue become StoreError."""
    import psycopg
    import psycopg_pool
    from procrastinate.exceptions import ConnectorException

    try:
        yield
    except (ConnectorException, psycopg.Error, psycopg_pool.PoolTimeout) as error:
        from dogwatch.store.server import store_error

        cause = error.__cause__ or error
        raise store_error(cause, str(cause) or str(error)) from error


class Overheard(logging.Handler):
    """What the queue and its driver complain of, as lines of our log."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = say

    def emit(self, record: logging.LogRecord) -> None:
        """One complaint; of an exception only what kind it is, as it may quote what it was about."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        self._tell(f"{record.getMessage()} {kind}".strip())


@contextmanager
def overheard(say: Callable[[str], None]) -> Generator[None]:
    """Within it, complaints of the queue and its driver are said. Raises StoreError where the extra is not
    installed. Of a job that somebody took over and
    finished the one who slept learns by an exception that nobody awaits."""

    def unheard(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, ConnectorException):
            say(f"{error.__cause__ or error}".partition("\n")[0])
        else:
            loop.default_exception_handler(context)

    try:
        from procrastinate.exceptions import ConnectorException
    except ModuleNotFoundError as error:
        raise StoreError("workers need the queue that they share", INSTALL) from error

    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(unheard)
    handler = Overheard(say)
    loggers = [logging.getLogger(name) for name in ("procrastinate", "psycopg.pool")]
    for one in loggers:
        one.addHandler(handler)
        one.propagate = False
    try:
        yield
    finally:
        loop.set_exception_handler(before)
        for one in loggers:
            one.removeHandler(handler)
            one.propagate = True
