"""What every connector does with whatever comes, runs or not: only our errors come out of it."""

import json
import random
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from dogwatch.connectors import names
from dogwatch.errors import ConnectorError
from dogwatch.lab.estate import load_estate
from dogwatch.lab.simulate import simulate
from dogwatch.lab.world import World
from dogwatch.wire.connector import (
    AnyConnector,
    HasAlerts,
    HasBacklog,
    HasCaveats,
    HasChanges,
    HasFiles,
    HasJobs,
    HasLogs,
    HasMetrics,
    LogAsk,
)
from dogwatch.wire.http import Pace
from support.clock import NOON, JumpingClock
from support.nasty import NASTY, places, replaced
from support.stage import Call, Stage, as_json, hosting

HOUR = timedelta(hours=1)
TIMES = 6
MOST_CALLS = 60
"""After so many the answers are sound, so that what goes round in circles comes to an end."""


@pytest.fixture(scope="module")
def invoices() -> World:
    return simulate(load_estate("invoices"), seed=1, start=NOON - 6 * HOUR, end=NOON, clock=JumpingClock())


async def _all_of_it(connector: AnyConnector) -> None:
    """Everything that a round or a person asks it for."""
    asked: list[Awaitable[object]] = [connector.check()]
    since = NOON - 5 * HOUR
    if isinstance(connector, HasJobs):
        asked.append(connector.jobs(NOON))
    if isinstance(connector, HasMetrics):
        asked.append(connector.query(since, NOON, timedelta(minutes=5)))
    if isinstance(connector, HasAlerts):
        asked.append(connector.alerts(NOON))
    if isinstance(connector, HasCaveats):
        asked.append(connector.caveats())
    if isinstance(connector, HasChanges):
        asked.append(_drain(connector.changes(since, NOON)))
    if isinstance(connector, HasLogs):
        asked.append(_drain(connector.logs(LogAsk(NOON, since=since))))
    if isinstance(connector, HasFiles):
        asked.append(connector.find(""))
    if isinstance(connector, HasBacklog):
        asked.append(connector.backlog(LogAsk(NOON, since=since)))
    for one in asked:
        with suppress(ConnectorError):
            await one


async def _drain(batches: AsyncIterator[object]) -> None:
    async for _ in batches:
        pass


def _spoilt(body: bytes, rng: random.Random) -> bytes:
    value = as_json(body)
    if value is not None:
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            value = replaced(value, rng.choice(list(places(value))), rng.choice(NASTY))
        return json.dumps(value).encode()
    spoilt = bytearray(body)
    for _ in range(rng.choice([0, 1, 3]) if body else 0):
        at = rng.randrange(len(body))
        spoilt[at : at + rng.randrange(8)] = rng.choice([b"", b"<", b"\xff", b"9" * 30, b"&#x0;"])
    return bytes(spoilt)


@pytest.mark.parametrize("kind", names())
def test_whatever_comes_only_our_errors_come_out(kind: str, invoices: World) -> None:
    rng = random.Random(7)
    answers = 0

    def mangle(call: Call, body: bytes) -> bytes:
        nonlocal answers
        answers += 1
        return body if call.login or answers > MOST_CALLS else _spoilt(body, rng)

    async def work(connector: AnyConnector) -> Any:
        nonlocal answers
        for _ in range(TIMES):
            answers = 0
            await _all_of_it(connector)

    with hosting() as host:
        stage = Stage(kind, invoices, JumpingClock(), host)
        stage.way.rewrite = mangle
        stage.does(work, pace=Pace(per_second=0, tries=1), in_process=True)


@pytest.mark.parametrize("encoding", ["UTF-99", "UTF-16", "UTF-7", "Shift_JIS"])
def test_a_listing_that_declares_another_encoding_is_none_of_ours(encoding: str, invoices: World) -> None:
    def declare(call: Call, body: bytes) -> bytes:
        return body.replace(b'encoding="UTF-8"', f'encoding="{encoding}"'.encode())

    async def work(connector: AnyConnector) -> None:
        assert isinstance(connector, HasFiles)
        await connector.find("")

    with hosting() as host:
        stage = Stage("s3", invoices, JumpingClock(), host)
        stage.way.rewrite = declare
        stage.does(work, pace=Pace(per_second=0, tries=1), in_process=True)
