"""``dogwatch backup``, ``restore`` and ``prune``, as a person calls them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dogwatch.store import open_store
from dogwatch.store.rows import RunFilter
from support.cast import NOON, a_run
from support.cli import NO_BYTECODE, clean, run

LOGIN = {"DOGWATCH_AIRBYTE_CLIENT_ID": "someone", "DOGWATCH_AIRBYTE_CLIENT_SECRET": "not-a-secret"}
CONFIG = "keep:\n  runs: 90d\nconnectors:\n  airbyte:\n    url: http://127.0.0.1:1\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration whose store remembers forty runs of the past."""
    monkeypatch.chdir(tmp_path)
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "dogwatch.yaml").write_text(CONFIG, encoding="utf-8")
    store = open_store(tmp_path / "dogwatch.db")
    store.record([a_run(number) for number in range(40)])
    store.log(NOON, "user:ana", "incident.noted", "INC-1", {"text": "hm"})
    store.close()
    return tmp_path


def test_a_store_goes_through_a_backup_and_is_the_same(folder: Path) -> None:
    nowhere = run("backup", "safe/b.db")
    assert (nowhere.exit_code, "there is no folder safe" in nowhere.stderr) == (2, True)
    (folder / "safe").mkdir()
    told = run("backup", "safe/b.db")
    assert told.exit_code == 0, told.output
    assert "written: safe/b.db" in told.stdout
    assert "40 runs" in told.stdout
    again = run("backup", "safe/b.db")
    assert (again.exit_code, "is there already" in again.stderr) == (2, True)
    whole = json.loads(run("restore", "--verify", "safe/b.db", "--format", "json").stdout)
    assert (whole["format"], whole["rows"]["runs"], whole["events"]) == ("dogwatch.backup/1", 40, 1)
    refused = run("restore", "safe/b.db")
    assert (refused.exit_code, "is not empty" in refused.stderr) == (2, True)
    (folder / "dogwatch.db").unlink()
    restored = run("restore", "safe/b.db", "--format", "json")
    assert restored.exit_code == 0, restored.output
    assert json.loads(restored.stdout)["checksums"] == whole["checksums"]
    store = open_store(folder / "dogwatch.db")
    assert len(store.runs(RunFilter(limit=99))) == 40
    store.close()


def test_a_file_that_is_no_backup_is_refused_without_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "diary.txt").write_text("dear diary", encoding="utf-8")
    for name, words in (
        ("diary.txt", "is no store of dogwatch"),
        ("nothing.db", "there is no file nothing.db"),
    ):
        told = run("restore", "--verify", name)
        assert told.exit_code == 2
        assert words in told.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["diary.txt"]


def test_a_damaged_backup_is_said_to_be_damaged_and_another_one_is_asked_for(folder: Path) -> None:
    assert run("backup", "b.db").exit_code == 0
    whole = (folder / "b.db").read_bytes()
    middle = len(whole) // 2
    for spoilt in (whole[:middle], whole[: middle // 2] + bytes(middle // 2) + whole[middle:]):
        (folder / "b.db").write_bytes(spoilt)
        told = run("restore", "--verify", "b.db")
        assert told.exit_code == 2
        assert "error: b.db is damaged: " in told.stderr
        assert " next: use another backup" in told.stderr
        assert len(told.stderr.splitlines()) == 2


def test_what_is_old_is_forgotten_by_the_limits_of_the_file(folder: Path) -> None:
    before = (folder / "dogwatch.db").stat().st_size
    told = run("prune", "--compact")
    assert told.exit_code == 0, told.output
    assert "forgotten: 10 runs" in told.stdout
    assert (folder / "dogwatch.db").stat().st_size <= before
    answer = json.loads(run("prune", "--format", "json").stdout)
    assert (answer["format"], answer["gone"]["runs"]) == ("dogwatch.prune/1", 0)


def test_a_backup_that_does_not_fit_on_the_disk_leaves_no_file(folder: Path) -> None:
    (folder / "safe").mkdir()
    full = f"ulimit -f 64; exec {sys.executable} -m dogwatch backup safe/b.db"
    told = subprocess.run(
        ["bash", "-c", full], capture_output=True, text=True, env={**clean(folder), **LOGIN, **NO_BYTECODE}
    )
    assert told.returncode == 2
    assert "df -h" in told.stderr
    assert list((folder / "safe").iterdir()) == []
    assert run("backup", "safe/b.db").exit_code == 0
