"""What keeps the watch together: answers, the dead man's switch, peers, the dead, staleness, a close look."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from dogwatch.app import Dogwatch
from dogwatch.detect.silent import PEER, SILENT, silent_watchers
from dogwatch.engine.folders import Folders
from dogwatch.model import Severity
from dogwatch.model.call import Call, Watcher
from dogwatch.settings import Settings
from dogwatch.store.holders import certainly_dead, new_holder
from dogwatch.watchkeeping import Watchkeeping
from support.calling import settings_in
from support.cli import run
from support.clock import NOON, JumpingClock
from support.serve import served

T = TypeVar("T")
MINUTE = timedelta(minutes=1)


def keeping(
    settings: Settings, work: Callable[[Watchkeeping], Awaitable[T]], clock: JumpingClock | None = None
) -> T:
    """What ``work`` does with the watch of these settings."""

    async def life() -> T:
        async with Dogwatch(settings, clock=clock or JumpingClock()) as app:
            return await work(app.watchkeeping())

    return asyncio.run(life())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


class Hearer:
    """Somebody who is asked for things, or told."""

    def __init__(self, status: int = 200) -> None:
        self.calls: list[tuple[str, str]] = []
        self._status = status

    def app(self) -> Starlette:
        async def hear(request: Request) -> PlainTextResponse:
            self.calls.append((str(request.url.path), (await request.body()).decode()))
            return PlainTextResponse("ok", self._status)

        return Starlette(routes=[Route("/{rest:path}", hear, methods=["GET", "POST"])])


def test_an_answer_is_sent_once_even_if_it_fails(settings: Settings) -> None:
    hearer = Hearer(500)
    with served(hearer.app()) as url:

        async def work(watch: Watchkeeping) -> tuple[list[str], int]:
            told = Call(key="k", hook="slack", received_at=NOON, reply_to=f"{url}/commands/T1/2/x")
            await watch.keep([told])
            (waiting,) = await watch.waiting()
            problems = [await watch.reply(waiting, "All is well.") for _ in range(2)]
            return problems, len(await watch.waiting())

        problems, left = keeping(settings, work)
    assert hearer.calls == [("/commands/T1/2/x", '{"response_type":"ephemeral","text":"All is well."}')]
    assert "500" in problems[0]
    assert (problems[1], left) == ("", 0)


def test_the_switch_hears_of_every_round_and_its_address_is_never_told(settings: Settings) -> None:
    hearer = Hearer()
    with served(hearer.app()) as url:
        watch = settings.watch.model_copy(update={"heartbeat_url": SecretStr(f"{url}/ping/secret-uuid")})
        told = settings.model_copy(update={"watch": watch})

        async def work(watch: Watchkeeping) -> list[str]:
            return [await watch.beat(), await watch.beat("/fail")]

        assert keeping(told, work) == ["", ""]
    assert [path for path, _ in hearer.calls] == ["/ping/secret-uuid", "/ping/secret-uuid/fail"]
    (problem, _) = keeping(told, work)
    assert "secret-uuid" not in problem
    assert "cannot connect" in problem


def test_without_a_switch_nobody_is_asked(settings: Settings) -> None:
    assert keeping(settings, lambda watch: watch.beat()) == ""


def test_the_leases_of_the_dead_are_free_and_those_of_the_living_are_not(settings: Settings) -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as gone:
        gone.wait()
    own = f" pid {os.getpid()} "
    dead, living = (new_holder().replace(own, f" pid {pid} ") for pid in (gone.pid, os.getppid()))
    assert certainly_dead(dead)
    assert not certainly_dead(living)
    assert not certainly_dead(dead.replace(socket.gethostname(), "elsewhere"))
    assert not certainly_dead("another name")
    assert not certainly_dead(new_holder())

    async def work(watch: Watchkeeping) -> tuple[list[str], str | None]:
        await watch._thread(watch._store.claim_round, dead, NOON)
        await watch._thread(watch._store.lead, living, NOON)
        return await watch.bury(), await watch.lead()

    assert keeping(settings, work) == ([dead], living)


def watcher(name: str, ago: timedelta, **more: Any) -> Watcher:
    return Watcher(name=name, holder="h", began_at=NOON - timedelta(days=1), seen_at=NOON - ago).model_copy(
        update=more
    )


def test_silence_is_a_finding_and_worse_if_nobody_took_over() -> None:
    silent = watcher("one", 10 * MINUTE)
    (alone,) = silent_watchers([silent, watcher("a peer", MINUTE, holder=PEER)], NOON).findings
    assert alone.severity is Severity.ERROR
    assert alone.summary == "The watcher one fell silent 10 min ago; nobody keeps the watch"
    (followed,) = silent_watchers([silent, watcher("two", MINUTE)], NOON).findings
    assert followed.severity is Severity.WARNING
    assert followed.summary.endswith("two keeps the watch")


@pytest.mark.parametrize(
    "one",
    [
        watcher("stopped", 10 * MINUTE, stopped_at=NOON - 10 * MINUTE),
        watcher("awake", SILENT),
        watcher("forgotten", timedelta(days=8)),
        watcher("worker one", 10 * MINUTE),
    ],
    ids=lambda one: one.name,
)
def test_who_stopped_lives_or_is_long_gone_is_no_finding(one: Watcher) -> None:
    assert silent_watchers([one], NOON).findings == []


def test_a_folder_calls_when_files_come_or_grow_not_when_they_go(tmp_path: Path) -> None:
    folders = Folders(tmp_path, {"in": ("airbyte",), "absent": ("second",)})
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "old").write_text("x")
    assert folders.look(NOON) == []
    assert folders.look(NOON) == []
    (tmp_path / "in" / "new").write_text("x")
    (call,) = folders.look(NOON)
    assert (call.touches, call.hook) == (("airbyte",), "folder")
    (tmp_path / "in" / "new").write_text("longer")
    assert len(folders.look(NOON)) == 1
    (tmp_path / "absent").mkdir()
    assert [call.touches for call in folders.look(NOON)] == [("second",)]


def test_what_is_shown_says_so_when_it_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = settings_in(tmp_path)
    monkeypatch.setenv("DOGWATCH_DATABRICKS_TOKEN", "dapi-of-nobody")
    for name in settings.hooks:
        monkeypatch.setenv(f"DOGWATCH_{name.upper()}_SECRET", "0123456789abcdef")

    async def old_round(watch: Watchkeeping) -> None:
        number = await watch._thread(watch._store.start_round, NOON)
        await watch._thread(
            watch._store.end_round,
            number,
            NOON,
            ended_at=NOON,
            exit_code=0,
            body={},
            findings=[],
            evidence=[],
        )

    keeping(settings, old_round)
    for command in (("runs",), ("incidents", "--format", "json"), ("schedule",)):
        told = run(*command)
        assert "note: the last round ended" in told.stderr
        assert "nobody knows what happened since" in told.stderr
        assert "note:" not in told.stdout
    report = run("report", "--format", "md")
    assert report.stdout.startswith("# dogwatch: No round for ")
    assert "all was well then, nobody knows now" in report.stdout


def test_a_close_look_says_what_keeps_the_watch_and_what_does_not(settings: Settings) -> None:
    clock = JumpingClock()

    async def work(watch: Watchkeeping) -> dict[str, tuple[bool, str]]:
        await watch.sign(watcher("one", timedelta(0), leads=True))
        await watch.sign(watcher("two", 10 * MINUTE))
        await watch.sign(watcher("worker three", timedelta(seconds=5)))
        await watch.sign(watcher("worker four", 2 * MINUTE))
        assert await watch.workers() == ["worker three"]
        return {f"{one.name} {one.line.split()[0]}": (one.ok, one.line) for one in await watch.examine()}

    found = keeping(settings, work, clock)
    assert found["rounds no"] == (False, "no round ever ended")
    assert found["watch one"] == (True, "one leads, heard 0 s ago")
    assert found["watch two"] == (False, "two stands by, heard 10 min ago")
    assert found["watch worker"] == (True, "worker three makes rounds, heard 5 s ago")
    assert found["record whole:"][0]
    assert found["policy understood"][0]
    assert found["channels nobody"] == (False, "nobody is told of anything")


def test_figures_are_those_of_the_store(settings: Settings) -> None:
    async def work(watch: Watchkeeping) -> str:
        from dogwatch.report.exposition import exposition

        await watch.keep([Call(key="a", hook="generic", received_at=NOON)])
        return exposition(await watch.metrics())

    text = keeping(settings, work)
    assert 'dogwatch_calls{hook="generic",state="waiting"} 1' in text
    assert "dogwatch_stale 1" in text
    assert "dogwatch_calls_waiting 1" in text
    assert json.dumps(text)
