"""``dogwatch causes``: files in, files out, and a bad line costs that line only."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from support.cli import run

CASE = {
    "case": "1",
    "nodes": ["a", "b"],
    "edges": [["a", "b"]],
    "alerts": [{"kind": "log", "node": "b", "name": "x"}],
}


def write(path: Path, rows: list[Any]) -> Path:
    """Rows as JSON lines, text as it stands."""
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    if path.suffix == ".gz":
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.write(text)
    else:
        path.write_text(text, "utf-8")
    return path


def read(path: Path) -> list[dict[str, Any]]:
    """JSON lines, gzipped or not."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(("name", "out"), [("in.jsonl", "out.jsonl"), ("in.jsonl.gz", "out.jsonl.gz")])
def test_classify_answers_every_row(tmp_path: Path, name: str, out: str) -> None:
    rows = [
        {"case": "1", "platform": "postgres", "text": "permission denied for table x"},
        {"case": "2", "text": "zzz"},
        {"case": "3", "platform": None, "text": "OutOfMemoryError"},
    ]
    answer = run("causes", "classify", str(write(tmp_path / name, rows)), "--out", str(tmp_path / out))
    assert (answer.exit_code, answer.output) == (0, "")
    found = {row["case"]: (row["cause_class"], row["phrase"]) for row in read(tmp_path / out)}
    assert found["1"] == ("auth_permission", "permission denied for")
    assert found["2"] == ("unknown", "")
    assert found["3"] == ("resource_exhaustion", "OutOfMemoryError")


def test_a_bad_line_is_named_and_the_rest_is_answered(tmp_path: Path) -> None:
    rows = ["{nope", {"case": "2", "text": 7}, "[1]", "", {"case": "5", "text": "deadlock detected"}]
    file = write(tmp_path / "in.jsonl", rows)
    answer = run("causes", "classify", str(file), "--out", str(tmp_path / "out.jsonl"))
    assert answer.exit_code == 2
    for said in (f"{file}, line 1: not JSON", "line 2: 'text' must be a string", "line 3: not a JSON object"):
        assert said in answer.stderr
    assert "3 lines were left out" in answer.stderr
    assert [row["case"] for row in read(tmp_path / "out.jsonl")] == ["5"]


def test_rank_writes_every_node_once_and_says_why(tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", [CASE, {**CASE, "case": "2", "nodes": 3}])
    answer = run("causes", "rank", str(file), "--out", str(tmp_path / "out.jsonl"))
    assert answer.exit_code == 2
    assert "line 2: 'nodes' must be a list" in answer.stderr
    (row,) = read(tmp_path / "out.jsonl")
    assert (row["case"], row["ranking"], row["why"]) == ("1", ["b", "a"], ["log alert x"])


def test_replay_writes_incidents(tmp_path: Path) -> None:
    head = {"nodes": ["a"], "edges": [], "metrics": {"a": ["latency", "cpu"]}}
    usual = [{"t": 60 * i, "values": {"a": [1 + i % 3 / 10, 5 + i % 2]}} for i in range(60)]
    wrong = [{"t": 60 * i, "values": {"a": [90, 300]}} for i in range(60, 64)]
    file = write(tmp_path / "in.jsonl.gz", [head, *usual, usual[0], *wrong])
    answer = run("causes", "replay", str(file), "--out", str(tmp_path / "out.jsonl"))
    assert answer.exit_code == 2  # the repeated minute
    assert "line 62: minute 0 does not come after 3540" in answer.stderr
    (row,) = read(tmp_path / "out.jsonl")
    assert (row["start"], row["end"], row["ranking"]) == (3600, 3780, ["a"])


@pytest.mark.parametrize("rows", [[], ["{"], [{"nodes": []}]])
def test_a_stream_without_a_head_cannot_run(tmp_path: Path, rows: list[Any]) -> None:
    file = write(tmp_path / "in.jsonl", rows)
    answer = run("causes", "replay", str(file), "--out", str(tmp_path / "out.jsonl"))
    assert answer.exit_code == 2
    assert str(file) in answer.stderr


@pytest.mark.parametrize("verb", ["classify", "rank", "replay"])
def test_what_is_no_gzip_or_no_text_is_said_plainly(tmp_path: Path, verb: str) -> None:
    (tmp_path / "in.gz").write_bytes(b"no gzip")
    (tmp_path / "in.jsonl").write_bytes(b"\xff\xfe\x00")
    for name in ("in.gz", "in.jsonl"):
        answer = run("causes", verb, str(tmp_path / name), "--out", str(tmp_path / "out.jsonl"))
        assert answer.exit_code == 2
        assert "cannot be read" in answer.stderr
