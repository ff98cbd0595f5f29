"""Logs in a round: every line counts once whoever is killed when, and findings follow from what is stored."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dogwatch.detect.policy import Policy
from dogwatch.errors import StoreError, Unreachable
from dogwatch.logs.findings import findings
from dogwatch.logwatch import LogSight, judge_logs, read_logs
from dogwatch.model import EvidenceKind, Severity
from dogwatch.store import Store, StoreThread, open_store
from dogwatch.store.logbooks import LogShelf
from dogwatch.wire.connector import Connector, ConnectorSettings, LogAsk, LogPart
from dogwatch.wire.http import Doors, Http, Pace
from support.clock import JumpingClock

START = datetime(2026, 3, 2, tzinfo=UTC)
Files = list[tuple[str, bytes]]


class Shelf(Connector[ConnectorSettings]):
    """A log in files that are given; its cursor says how many were read."""

    Settings = ConnectorSettings
    title = "Shelf"
    overlap = timedelta(0)

    def __init__(self, files: Files, fails_after: int | None = None) -> None:
        super().__init__("shelf", ConnectorSettings(), Doors(JumpingClock()))
        self.files = files
        self.fails_after = fails_after

    @property
    def http(self) -> Http:
        return self.doors.open("http://127.0.0.1:9", login=None, pace=Pace())

    async def check(self) -> str:
        return "files"

    async def logs(self, ask: LogAsk) -> AsyncIterator[LogPart]:
        for number in range(int(ask.cursor or 0), len(self.files)):
            name, body = self.files[number]
            half = len(body) // 2
            yield LogPart(name, body[:half])
            if number == self.fails_after:
                raise Unreachable("the cable was pulled")
            told = str(number + 1)
            yield LogPart(name, body[half:], lambda told=told: told)  # type: ignore[misc]  # bound here


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = open_store(tmp_path / "d.db")
    yield opened
    opened.close()


def read(store: Store, connector: Shelf, now: datetime = START) -> LogSight:
    async def once() -> LogSight:
        thread, sight = StoreThread(), LogSight("shelf")
        try:
            await read_logs(connector, store, thread, now, {}, sight)
        finally:
            thread.close()
        return sight

    return asyncio.run(once())


def hour_of(number: int, say: Callable[[int], list[str]]) -> tuple[str, bytes]:
    """The file of one hour, in which these lines were said."""
    at = START + timedelta(hours=number)
    lines = [
        f"{at + timedelta(seconds=7 * i):%Y-%m-%d %H:%M:%S},000 {line}" for i, line in enumerate(say(number))
    ]
    return f"hour {number}", ("\n".join(lines) + "\n").encode()


def steady(hour: int) -> list[str]:
    return [f"INFO loader - row {hour}{i} of batch {i} written in {i} ms" for i in range(20 + hour % 24)]


def test_an_error_half_way_keeps_what_was_whole_and_the_rest_comes_again(store: Store) -> None:
    files = [hour_of(n, steady) for n in range(6)]
    with pytest.raises(Unreachable):
        read(store, Shelf(files, fails_after=3))
    assert store.log_shelf("shelf").cursor == "3"
    assert store.log_shelf("shelf").read_until is None
    assert read(store, Shelf(files)).lines == sum(20 + n for n in range(3, 6))
    assert store.log_shelf("shelf").lines == sum(20 + n for n in range(6))
    assert read(store, Shelf(files)).lines == 0


def test_whoever_is_killed_before_it_is_written_down_reads_the_same_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [hour_of(n, steady) for n in range(4)]
    save = store.save_log_shelf

    def killed(instance: str, shelf: LogShelf) -> None:
        raise StoreError("killed")

    monkeypatch.setattr(store, "save_log_shelf", killed)
    with pytest.raises(StoreError):
        read(store, Shelf(files))
    monkeypatch.setattr(store, "save_log_shelf", save)
    assert store.log_shelf("shelf") == LogShelf()
    assert read(store, Shelf(files)).lines == sum(20 + n for n in range(4))


def judged(store: Store, say: Callable[[int], list[str]], hours: int) -> LogSight:
    return read(store, Shelf([hour_of(n, say) for n in range(hours)]), START + timedelta(hours=hours))


def test_a_new_error_is_a_finding_with_its_lines_as_evidence_as_long_as_it_lasts(store: Store) -> None:
    boom = [f"ERROR loader - append of batch {i} failed: 403 Access Denied: Table t" for i in range(4)]

    def say(hour: int) -> list[str]:
        return steady(hour) + (boom if hour in (50, 51) else [])

    files = [hour_of(n, say) for n in range(56)]
    for until in (50, 51, 52, 53, 56):
        now = START + timedelta(hours=until)
        sight = read(store, Shelf(files[:until]), now)
        found = judge_logs([sight], Policy(), now)
        if until in (50, 56):
            assert found.findings == []
            continue
        [finding] = found.findings
        assert (finding.rule, finding.subject, finding.severity) == (
            "log_new",
            "component/loader",
            Severity.ERROR,
        )
        proof = found.evidence[finding.evidence[0]]
        assert proof.kind is EvidenceKind.log
        assert proof.content["samples"] == boom_messages(boom)
        assert finding.at == START + timedelta(hours=50, seconds=7 * (20 + 50 % 24))


def boom_messages(lines: list[str]) -> list[str]:
    return [line.removeprefix("ERROR loader - ") for line in lines[:3]]


def test_a_surge_is_told_once_for_as_long_as_it_lasts(store: Store) -> None:
    def say(hour: int) -> list[str]:
        times = 100 if hour in (240, 241) else 2
        return steady(hour) + [f"WARNING loader - retrying batch {i}" for i in range(times)]

    prints: set[str] = set()
    files = [hour_of(n, say) for n in range(245)]
    for until in (240, 241, 242, 243, 245):
        now = START + timedelta(hours=until)
        found = judge_logs([read(store, Shelf(files[:until]), now)], Policy(), now)
        if until in (240, 245):
            assert found.findings == []
            continue
        [finding] = found.findings
        assert (finding.rule, finding.severity) == ("log_surge", Severity.WARNING)
        assert finding.at == START + timedelta(hours=240)
        prints.add(finding.fingerprint)
    assert len(prints) == 1


def test_a_silence_on_a_sunday_is_as_on_every_sunday_and_one_on_a_wednesday_is_told(store: Store) -> None:
    def say(hour: int) -> list[str]:
        day = hour // 24 % 7
        return [] if day == 6 or hour >= 16 * 24 + 9 else steady(hour)

    files = [hour_of(n, say) for n in range(16 * 24 + 13)]
    for until in (7 * 24 - 6, 14 * 24 - 6):
        now = START + timedelta(hours=until)
        assert judge_logs([read(store, Shelf(files[:until]), now)], Policy(), now).findings == []
    now = START + timedelta(hours=16 * 24 + 13)
    found = judge_logs([read(store, Shelf(files), now)], Policy(), now)
    assert [finding.rule for finding in found.findings] == ["log_vanished"]


def test_nothing_is_wrong_where_nothing_was_read() -> None:
    assert findings([], "shelf", "", START) == ([], [])
