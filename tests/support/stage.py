"""A connector before its twin on a real socket, with somebody in between who can do anything to the calls."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import httpx2
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dogwatch.connectors import load
from dogwatch.errors import ConnectorError
from dogwatch.lab.twin import Twin, twin_class
from dogwatch.lab.world import World
from dogwatch.model import Run
from dogwatch.wire.connector import AnyConnector, Ask, HasRuns
from dogwatch.wire.http import Doors, Pace
from support.clock import JumpingClock
from support.serve import served

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One request as it came to the platform."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def login(self) -> bool:
        """Whether it asks for a token instead of carrying one."""
        scheme = self.headers.get("authorization", "").partition(" ")[0]
        return scheme == "" or (scheme == "Basic" and self.method != "GET")


class Way:
    """Stands before a twin: remembers every call, and does to it what the test demands."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.calls: list[Call] = []
        self.before: Callable[[Call], None] = lambda call: None
        """Called first; moves clocks, counts, breaks things."""
        self.answer: Callable[[Call], Response | None] = lambda call: None
        """Answers in the platform's place."""
        self.hangs: Callable[[Call], bool] = lambda call: False
        self.rewrite: Callable[[Call, bytes], bytes] = lambda call, body: body
        """Changes the platform's answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await request.body()
        call = Call(request.method, request.url.path, request.url.query, dict(request.headers), body)
        self.calls.append(call)
        self.before(call)
        if self.hangs(call):
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        response = self.answer(call)
        if response is not None:
            await response(scope, receive, send)
            return
        await self._app(scope, _again(body), _Rewritten(send, lambda told: self.rewrite(call, told)))

    @property
    def reads(self) -> list[Call]:
        """The calls that were no logins."""
        return [call for call in self.calls if not call.login]


def _again(body: bytes) -> Receive:
    """The body that was read already."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


class _Rewritten:
    def __init__(self, send: Send, rewrite: Callable[[bytes], bytes]) -> None:
        self._send = send
        self._rewrite = rewrite
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = self._rewrite(self._body)
        headers = [pair for pair in self._start["headers"] if pair[0].lower() != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


class Host:
    """One server for many tests: each puts its own application behind it."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        assert self.app is not None
        await self.app(scope, receive, send)


@contextmanager
def hosting() -> Iterator[Host]:
    """A host on a free port."""
    host = Host()
    with served(host) as url:
        host.url = url
        yield host


@dataclass
class Reading:
    """What a connector told of the runs, and why it stopped."""

    batches: list[Sequence[Run]] = field(default_factory=list, repr=False)
    error: ConnectorError | None = None

    @property
    def runs(self) -> list[Run]:
        """All runs, in the order in which they were told."""
        return [run for batch in self.batches for run in batch]

    @property
    def ids(self) -> set[str]:
        """Native ids."""
        return {run.native_run_id for run in self.runs}

    @property
    def by_id(self) -> dict[str, Run]:
        """The newest attempt of each run; of repeats the last."""
        found: dict[str, Run] = {}
        for run in self.runs:
            if run.native_run_id not in found or run.attempt >= found[run.native_run_id].attempt:
                found[run.native_run_id] = run
        return found

    def sound(self) -> "Reading":
        """This reading, if nothing went wrong."""
        if self.error is not None:
            raise self.error
        return self


class Stage:
    """A world, its twin, the way to it, and connectors on the other side."""

    def __init__(self, kind: str, world: World, clock: JumpingClock, host: Host) -> None:
        self.kind = kind
        self.world = world
        self.clock = clock
        self.twin: Twin = twin_class(kind)(world)
        self.way = Way(self.twin.app())
        self.url = host.url
        host.app = self.way

    def settings(self, url: str | None = None) -> Any:
        """What a user would have configured."""
        given = {**self.twin.settings(url or self.url), **self.twin.credentials()}
        return load(self.kind).Settings.model_validate(given)

    @asynccontextmanager
    async def connected(
        self, pace: Pace | None, url: str | None, in_process: bool
    ) -> AsyncIterator[AnyConnector]:
        """A connector with doors of its own."""
        doors = Doors(self.clock, pace=pace)
        if in_process:
            way: Any = self.way  # starlette and httpx2 describe ASGI in types that do not match
            doors.transport = httpx2.ASGITransport(way)
        connector = load(self.kind)(self.kind, self.settings(url), doors)
        try:
            yield connector
        finally:
            await connector.aclose()

    def ask(self, **changes: Any) -> Ask:
        """All runs of the last six days, with their details."""
        now = self.clock.now()
        since = now - timedelta(days=6)
        return Ask(**{"now": now, "since": since, "details_since": since, **changes})

    def does(
        self,
        work: Callable[[AnyConnector], Awaitable[T]],
        *,
        pace: Pace | None = None,
        url: str | None = None,
        in_process: bool = False,
    ) -> T:
        """Let a fresh connector do something, over a socket unless told otherwise."""

        async def life() -> T:
            async with self.connected(pace, url, in_process) as connector:
                return await work(connector)

        return asyncio.run(life())

    def reads(self, ask: Ask | None = None, *, pace: Pace | None = None, url: str | None = None) -> Reading:
        """Let a fresh connector tell the runs."""
        return self.does(lambda connector: reading(connector, ask or self.ask()), pace=pace, url=url)


async def reading(connector: AnyConnector, ask: Ask) -> Reading:
    """Everything that the connector tells of runs, and the error it ends with; each run is a valid noun."""
    assert isinstance(connector, HasRuns)
    told = Reading()
    try:
        async for batch in connector.runs(ask):
            told.batches.append(batch)
    except ConnectorError as error:
        told.error = error
    for run in told.runs:
        checked = Run(**run.__dict__)
        assert checked == run
        assert checked.model_dump_json() == run.model_dump_json()  # a whole number is no float
    return told


def records(value: Any, required: str) -> list[Any] | None:
    """The first list of records in a JSON value: objects that all have the field ``required``, or the rows
    of a table that stands under it."""
    if not isinstance(value, dict | list):
        return None
    items: list[Any] = list(value.values()) if isinstance(value, dict) else value
    if len(items) > 1 and all(isinstance(item, dict) and required in item for item in items):
        return items
    rows = value.get(required) if isinstance(value, dict) else None
    if isinstance(rows, list) and len(rows) > 1 and all(isinstance(row, list) for row in rows):
        return rows
    for item in items:
        found = records(item, required)
        if found is not None:
            return found
    return None


def damaged(record: Any, required: str, how: str) -> Any:
    """A record as nobody should send it; ``how`` is missing, null, text, nothing or nested."""
    rest: Any
    if isinstance(record, dict):
        rest = {key: item for key, item in record.items() if key != required}
        broken: Any = {**rest, required: None}
    else:
        rest = record[1:]
        broken = [None, *rest]
    return {"missing": rest, "null": broken, "text": "gone", "nothing": None, "nested": [record]}[how]


def as_json(body: bytes) -> Any:
    """The body as JSON, None if it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None
