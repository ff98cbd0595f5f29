"""actions, halt and audit as a person types them."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dogwatch.model import Action, ActionState
from dogwatch.store import open_store
from support.actions import an_action
from support.cli import run

CONFIG = "timezone: UTC\nconnectors:\n  airbyte:\n    url: http://127.0.0.1:9\n"


@pytest.fixture
def action(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Action:
    """One that waits for consent, in the current folder's store."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dogwatch.yaml").write_text(CONFIG, encoding="utf-8")
    now = datetime.now(UTC)
    store = open_store(tmp_path / "dogwatch.db")
    (made,) = store.propose(
        [
            an_action(
                state=ActionState.waiting,
                why="no rule speaks of it, so a person decides",
                proposed_at=now,
                expires_at=now + timedelta(hours=4),
            )
        ]
    )
    store.close()
    return made


def as_json(*args: str) -> Any:
    found = run(*args, "--format", "json")
    assert found.exit_code in (0, 1), found.output
    return json.loads(found.stdout)


def test_what_waits_is_shown_with_what_to_type(action: Action) -> None:
    said = run("actions").stdout
    assert "Sync Orders PG → RAW once" in said
    assert f"dogwatch actions approve {action.id}" in said
    assert f"dogwatch actions reject {action.id}" in said
    assert "waits for your consent until" in said


def test_nothing_is_said_to_be_proposed_when_nothing_is(action: Action) -> None:
    run("actions", "reject", action.id)
    assert "nothing is proposed" in run("actions").stdout
    assert "rejected" in run("actions", "--all").stdout


def test_the_json_has_the_digest_to_decide_by(action: Action) -> None:
    (told_of,) = as_json("actions")["actions"]
    assert told_of["id"] == action.id
    wrong = run("actions", "reject", action.id, "--digest", "0" * 16)
    assert wrong.exit_code == 2
    assert "the digest differs" in wrong.stderr
    assert run("actions", "reject", action.id, "--digest", action.digest, "--by", "anna").exit_code == 0
    assert as_json("actions", "--all")["actions"][0]["decided_by"] == "user:anna"


def test_an_action_that_is_not_there_is_told(action: Action) -> None:
    said = run("actions", "approve", "nothing-1")
    assert (said.exit_code, "there is no action 'nothing-1'" in said.stderr) == (2, True)
    assert "Traceback" not in said.stderr


def test_an_incident_that_is_none_is_told(action: Action) -> None:
    assert run("actions", "--incident", "seven").exit_code == 2
    assert "nothing is proposed" in run("actions", "--incident", "INC-8").stdout
    assert action.id in run("actions", "--incident", "inc-7").stdout


def test_halt_is_shown_until_it_is_off(action: Action) -> None:
    assert "halted" in run("halt", "--by", "bert").stdout
    assert "halted by bert" in run("actions").stdout
    assert run("halt", "--off", "--by", "bert").stdout == "actions go on\n"
    assert "halted" not in run("actions").stdout


def test_approving_during_a_halt_says_that_nothing_was_done_yet(action: Action) -> None:
    run("halt")
    said = run("actions", "approve", action.id)
    assert said.exit_code == 3
    assert "approved" in said.stdout


def test_a_mistake_in_the_policy_is_told_with_its_line(action: Action, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("rules:\n  - {then: allow}\n", encoding="utf-8")
    assert "policy.yaml:2: rules.0.verbs: " in run("actions").stdout
    said = run("actions", "approve", action.id)
    assert said.exit_code == 2
    assert "the policy file is wrong, so nothing is done" in said.stderr


def test_the_record_is_shown_exported_and_found_whole(action: Action) -> None:
    run("actions", "reject", action.id, "--by", "anna")
    shown = run("audit").stdout
    assert "action.rejected" in shown
    assert "anna" in shown
    lines = [json.loads(line) for line in run("audit", "--format", "jsonl").stdout.splitlines()]
    assert [line["kind"] for line in lines] == ["action.proposed", "action.waiting", "action.rejected"]
    assert [line["seq"] for line in lines] == [1, 2, 3]
    whole = as_json("audit", "verify")
    assert (whole["whole"], whole["events"]) == (True, 3)
    assert len(run("audit", "--on", action.id, "--after", "2", "--format", "jsonl").stdout.splitlines()) == 1


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE events SET actor = 'user:nobody' WHERE seq = 2",
        "DELETE FROM events WHERE seq = 2",
        "UPDATE events SET seq = seq + 10 WHERE seq = 2",
        "UPDATE events SET at = 'yesterday' WHERE seq = 2",
        "UPDATE events SET detail = '{' WHERE seq = 2",
        "UPDATE events SET previous = '' WHERE seq = 2",
    ],
)
def test_whoever_edits_the_record_is_found_out(action: Action, tmp_path: Path, edit: str) -> None:
    run("actions", "reject", action.id)
    with sqlite3.connect(tmp_path / "dogwatch.db") as file:
        for verb in ("update", "delete"):
            file.execute(f"DROP TRIGGER events_no_{verb}")
        file.execute(edit)
    file.close()
    said = run("audit", "verify")
    assert said.exit_code == 1
    assert said.stdout == "● the record was changed: event 2 does not fit the one before it\n"
