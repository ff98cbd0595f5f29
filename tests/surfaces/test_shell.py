"""The command line itself: help, suggestions, errors, signals and pipes."""

import os
import pty
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.responses import JSONResponse

from dogwatch import __version__
from dogwatch.cli import COMMANDS, dogwatch
from dogwatch.cli.runs import STATUSES
from dogwatch.model import Status
from support.cli import clean, process, run
from support.serve import served

HEAVY = {"pydantic", "httpx2", "sqlalchemy", "alembic", "rich", "ruamel", "dotenv", "starlette", "uvicorn"}

CONFIG = "timezone: UTC\nconnectors:\n  airbyte: {{url: '{url}'}}\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def locked() -> Iterator[str]:
    """The address of a platform that lets nobody in."""
    with served(JSONResponse({"message": "no"}, 401)) as url:
        yield url


@pytest.fixture
def config(locked: str, tmp_path: Path) -> Path:
    """A configuration with that platform alone."""
    file = tmp_path / "dogwatch.yaml"
    file.write_text(CONFIG.format(url=locked))
    return file


def imported(args: list[str]) -> set[str]:
    """Which heavy packages a command line imports, and whether click is among them."""
    code = (
        f"import sys; sys.argv = ['dogwatch', *{args!r}]\n"
        "from dogwatch.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.stderr.write(' '.join({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split()) & {*HEAVY, "click"}


def test_version_imports_nothing_and_help_only_click() -> None:
    assert imported(["--version"]) == set()
    assert imported(["--help"]) == {"click"}


def test_version_is_told_in_both_ways() -> None:
    assert run("--version").stdout == f"dogwatch {__version__}\n"


def test_every_command_has_the_help_line_of_the_table() -> None:
    for name, line in COMMANDS.items():
        told = run(name, "--help")
        assert told.exit_code == 0, told.output
        words = " ".join(told.stdout.split())
        assert line in words


def test_the_words_for_status_are_those_of_the_model() -> None:
    assert list(STATUSES) == [status.value for status in Status]


def test_no_command_shows_the_help() -> None:
    told = run()
    assert told.exit_code == 2
    assert "Begin here:" in told.stderr


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["chek"], "error: no such command 'chek'. Did you mean 'check'?\n next: dogwatch --help\n"),
        (["check", "--fromat", "md"], "Did you mean '--format'?\n next: dogwatch check --help\n"),
        (["check", "--format", "xml"], "'xml' is not one of 'text', 'json', 'md'"),
        (["runs", "--limit", "0"], "error: invalid value for '--limit'"),
        (["init"], "error: missing argument PLATFORM"),
    ],
)
def test_a_misspelt_command_line_is_one_line_and_what_to_do(args: list[str], expected: str) -> None:
    told = run(*args)
    assert told.exit_code == 2
    assert expected in told.stderr
    assert told.stdout == ""


def test_without_a_configuration_the_way_to_one_is_shown() -> None:
    told = run("check")
    assert (told.exit_code, told.stdout) == (2, "")
    complaint, way = told.stderr.splitlines()
    assert complaint == "error: there is no dogwatch.yaml"
    assert "dogwatch init airbyte" in way
    assert "dogwatch demo" in way


@pytest.mark.parametrize("args", [["--config", "x/y.yaml", "runs"], ["runs", "--config", "x/y.yaml"]])
def test_config_may_stand_before_or_after_the_command(args: list[str], config: Path, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    config.rename(tmp_path / "x" / "y.yaml")
    assert run(*args).exit_code == 0
    assert (tmp_path / "x" / "dogwatch.db").exists()


def test_a_store_that_cannot_be_used_is_one_line_and_details_when_asked(config: Path) -> None:
    config.write_text(f"store: dogwatch.yaml\n{config.read_text()}")
    told = run("runs")
    assert told.exit_code == 2
    assert told.stderr.startswith("error: ")
    assert len(told.stderr.splitlines()) == 2
    more = run("runs", "--verbose").stderr
    assert "StoreError" in more
    assert "because of" in more


def test_a_hostile_name_in_an_error_cannot_move_the_cursor(tmp_path: Path) -> None:
    (tmp_path / "dogwatch.yaml").write_text('"a\\e[2Jb\\u202ec": 1\n')
    told = run("check")
    assert "\x1b" not in told.stderr
    assert "\u202e" not in told.stderr


def terminal(args: list[str], cwd: Path, env: dict[str, str] | None = None) -> str:
    """All that ``dogwatch args`` writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    environment = clean(cwd) | {"TERM": "xterm-256color", "COLUMNS": "80"} | (env or {})
    command = [sys.executable, "-m", "dogwatch", *args]
    with subprocess.Popen(
        command, cwd=cwd, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as started:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux says EIO when the other side is gone
                break
            if not piece:
                break
            shown += piece
        started.wait(timeout=30)
    os.close(ours)
    return shown.decode()


@pytest.fixture(scope="module")
def on_a_terminal(locked: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a check writes to a terminal."""
    folder = tmp_path_factory.mktemp("terminal")
    (folder / "dogwatch.yaml").write_text(CONFIG.format(url=locked))
    return terminal(["check"], folder)


def test_a_terminal_gets_colours_and_a_progress_line_that_disappears(on_a_terminal: str) -> None:
    assert "\x1b[1;34mBLIND" in on_a_terminal
    before, _, after = on_a_terminal.rpartition("\r\x1b[2K")
    assert "airbyte: waiting" in before
    assert "airbyte: " not in after


def test_a_terminal_without_colours_gets_the_same_words(on_a_terminal: str, config: Path) -> None:
    plain = terminal(["check"], config.parent, {"NO_COLOR": "1", "TERM": "dumb"})
    assert "BLIND" in plain
    assert "\x1b" not in plain


def test_a_file_gets_neither_colours_nor_progress(config: Path) -> None:
    done = process("check", cwd=config.parent)
    assert "BLIND" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_a_reader_that_goes_away_is_no_error(config: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dogwatch", "check", "--format", "json"]
    reading, writing = os.pipe()
    with subprocess.Popen(
        command, cwd=tmp_path, env=clean(tmp_path), stdout=writing, stderr=subprocess.PIPE
    ) as started:
        os.close(reading)
        os.close(writing)
        _, complaint = started.communicate(timeout=60)
    assert complaint == b""
    assert started.returncode == 141


def test_ctrl_c_ends_quietly_with_130(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        (tmp_path / "dogwatch.yaml").write_text(
            f"connectors:\n  airbyte: {{url: 'http://127.0.0.1:{port}'}}\n"
        )
        command = [sys.executable, "-m", "dogwatch", "check"]
        with subprocess.Popen(
            command, cwd=tmp_path, env=clean(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as started:
            assert select.select([silent], [], [], 60)[0]  # it asks, and gets no answer
            started.send_signal(signal.SIGINT)
            out, complaint = started.communicate(timeout=60)
    assert (started.returncode, out) == (130, b"")
    assert b"Traceback" not in complaint


def test_the_group_offers_the_commands_in_the_order_of_use() -> None:
    told = run("--help").stdout
    places = [told.index(f"\n  {name}  ") for name in COMMANDS]
    assert places == sorted(places)
    assert dogwatch.name == "dogwatch"
