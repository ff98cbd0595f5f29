"""``dogwatch logs`` as a person uses it."""

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import clean, process, run
from support.logs_corpus import corpus

LOG = """\
2026-11-20 02:04:05,000 - loader - INFO - loaded 7 rows
2026-11-20 02:04:06,000 - loader - ERROR - load of orders failed
Traceback (most recent call last):
  File "a.py", line 1, in f
ValueError: no such bucket
2026-11-20 02:04:07,000 - loader - INFO - loaded 9 rows
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of three events in six lines."""
    path = tmp_path / "app.log"
    path.write_text(LOG)
    return path


def test_mine_prints_a_line_per_template(log: Path) -> None:
    told = run("logs", "mine", str(log))
    assert told.exit_code == 0
    first, second = told.stdout.splitlines()
    assert first.split() == ["2", *first.split()[1:-3], "loaded", "<*>", "rows"]
    assert "INFO" in first
    assert "ERROR" in second
    assert "load of orders failed | ValueError: no s" in second


def test_mine_for_programs_has_everything(log: Path) -> None:
    told = json.loads(run("logs", "mine", str(log), "--format", "json").stdout)
    assert told["lines"] == 6
    loaded, failed = told["templates"]
    assert (loaded["template"], loaded["lines"], loaded["severity"]) == ("loaded <*> rows", 2, "INFO")
    assert failed["components"] == {"loader": 1}
    assert failed["first"] == failed["last"] == "2026-11-20T02:04:06+00:00"
    assert failed["samples"] == ["load of orders failed | ValueError: no such bucket"]


def test_assign_writes_one_template_per_line_in_their_order(log: Path, tmp_path: Path) -> None:
    out = tmp_path / "templates.txt"
    assert run("logs", "mine", str(log), "--assign", str(out)).exit_code == 0
    cause = "load of orders failed | ValueError: no such bucket"
    assert out.read_text().splitlines() == ["loaded <*> rows", cause, cause, cause, cause, "loaded <*> rows"]


def test_assign_and_mine_agree_on_a_bare_log(tmp_path: Path) -> None:
    source, out = tmp_path / "shop.log", tmp_path / "out.txt"
    made = corpus("shop", 500)
    source.write_text("".join(message + "\n" for message in made.messages))
    run("logs", "mine", str(source), "--assign", str(out))
    told = json.loads(run("logs", "mine", str(source), "--format", "json").stdout)
    lines = out.read_text().splitlines()
    assert len(lines) == 500
    assert {t["template"]: t["lines"] for t in told["templates"]} == {t: lines.count(t) for t in set(lines)}


def test_files_patterns_folders_archives_and_pipes_are_one_log(log: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "app.log.gz").write_bytes(gzip.compress(LOG.encode()))
    told = process("logs", "mine", "app*.log", "old", "-", "--format", "json", cwd=tmp_path)
    assert json.loads(told.stdout)["lines"] == 12


def test_triage_for_programs_has_the_agreed_keys_and_no_others(log: Path) -> None:
    told = json.loads(run("logs", "triage", str(log), "--format", "json").stdout)
    assert told == {
        "total_events": 3,
        "errors": [
            {
                "timestamp": "2026-11-20T02:04:06.000Z",
                "component": "loader",
                "message": "load of orders failed | ValueError: no such bucket",
                "severity": "ERROR",
            }
        ],
        "summary": "3 events of 2 kinds, 1 error of 1 kind of loader; the worst is ERROR: "
        "load of orders failed | ValueError: no such bucket.",
    }


def test_triage_compares_with_what_it_remembers(log: Path, tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    assert "new" not in run("logs", "triage", str(log), "--baseline", str(memory)).stdout
    log.write_text(LOG + "2026-11-20 02:05:07,000 - loader - WARNING - quota at 91 %\n")
    told = run("logs", "triage", str(log), "--baseline", str(memory)).stdout
    assert "1 kind new" in told
    assert "quota at <*> %" in told
    assert "new" not in run("logs", "triage", str(log), "--baseline", str(memory)).stdout


def test_triage_names_components_by_the_owners_patterns(log: Path) -> None:
    told = run("logs", "triage", str(log), "--format", "json", "--component", "bq-writer=orders")
    assert json.loads(told.stdout)["errors"][0]["component"] == "bq-writer"
    wrong = run("logs", "triage", str(log), "--component", "nothing")
    assert wrong.exit_code == 2
    assert "NAME=PATTERN" in wrong.stderr


def test_diff_says_what_is_new(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.log"
    other.write_text(LOG + "2026-11-20 02:05:07,000 - loader - WARNING - quota at 91 %\n")
    told = run("logs", "diff", str(log), str(other))
    assert told.stdout.split() == ["new", "0", "→", "1", "WARNING", "quota", "at", "<*>", "%"]
    assert run("logs", "diff", str(log), str(log)).stdout == "Nothing is different.\n"
    rows = json.loads(run("logs", "diff", str(other), str(log), "--format", "json").stdout)
    assert [row["kind"] for row in rows] == ["gone"]


def test_a_missing_file_and_a_wrong_format_are_errors_with_a_way_out(log: Path) -> None:
    gone = run("logs", "mine", "nowhere.log")
    assert (gone.exit_code, gone.stdout) == (2, "")
    assert "nowhere.log" in gone.stderr
    wrong = run("logs", "mine", str(log), "--log-format", "sylog")
    assert wrong.exit_code == 2
    assert "syslog" in wrong.stderr


def test_bad_lines_are_told_and_stop_nothing(tmp_path: Path) -> None:
    path = tmp_path / "app.json"
    path.write_text('{"message": "fine", "password": "hunter2"}\n' * 3 + '{"password": "hunter2"\n')
    told = run("logs", "mine", str(path))
    assert told.exit_code == 0
    assert told.stderr == "bad: 1 × not a JSON object\n"
    shown = run("logs", "mine", str(path), "--format", "json").stdout
    assert json.loads(shown)["bad"] == {"not a JSON object": 1}
    assert "hunter2" not in shown


def test_control_characters_of_a_log_never_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"rename to \x9b2J\xc2\x9b31m\x07\xe2\x80\xae evil\nfine\n")
    shown = run("logs", "mine", str(path)).stdout
    assert all(c.isprintable() or c == "\n" for c in shown)


def test_tail_tells_what_is_new_until_it_is_interrupted(log: Path, tmp_path: Path) -> None:
    live = subprocess.Popen(
        [sys.executable, "-m", "dogwatch", "logs", "tail", str(log)],
        env=clean(tmp_path) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert live.stdout is not None
        assert live.stdout.readline() == "3 events of 2 kinds so far; waiting for new ones\n"
        with log.open("a") as out:
            out.write("2026-11-20 02:05:07,000 - loader - WARNING - quota at 91 %\n")
        assert live.stdout.readline() == "◐ WARNING   quota at 91 %\n"
        os.kill(live.pid, signal.SIGINT)
        assert live.wait(20) == 130
    finally:
        live.kill()
        live.communicate()
