"""ask and chat as a person types them, after a round over platforms of the lab."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dogwatch.app import Dogwatch
from dogwatch.cli import dogwatch
from dogwatch.model.answer import Answer
from dogwatch.questions.intents import EXAMPLES
from dogwatch.settings import load
from support.cli import process, run
from support.terminal import terminal
from support.watched import watched


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return watched(tmp_path_factory.mktemp("asked"))


@pytest.fixture(autouse=True)
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def asked(question: str) -> Any:
    done = run("ask", question, "--format", "json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_what_is_broken_is_told_with_its_cause_and_evidence() -> None:
    told = asked("what is broken?")
    assert told["understood"] == "broken"
    said = [one["said"] for one in told["statements"]]
    assert said[0] == "1 incident is open."
    assert said[1].startswith("INC-1: stock failed")
    known = {one["id"] for one in told["evidence"]}
    cited = {id_ for one in told["statements"] for id_ in one["cites"]}
    assert cited
    assert cited == known


ANSWERS = {
    "why is stock red?": "Cause, ",
    "who is hit by stock?": "INC-1",
    "who is hit by load?": "What depends on it: daily, mail, MART",
    "when will stock run?": "stock is due",
    "did stock run today?": "stock last ran",
    "how is warehouse?": "LOAD last ran",
    "why was the warehouse late?": "Nothing is known to have been wrong with warehouse",
    "what does mart depend on?": "orders, LOAD",
    "what runs next?": ", in ",
    "what changed since yesterday?": "No change is known",
    "what did you do last night?": "1 incident opened",
    "what waits for me?": "for INC-1: waiting",
    "what can I do about INC-1?": "for INC-1: waiting",
    "who decided what this week?": "Nothing was decided",
    "has this happened before?": "No past incident is like it",
    "has it happened before to mart?": "No incident of MART is known",
    "what can you not see?": "All 7 platforms could be read",
    "what is late?": "Nothing is late or slow",
    "how is airbyte?": "stock last ran",
    "when will INC-1 run": "stock is due",
}
"""A question, and what has to stand in its answer."""


def answers(folder: Path, questions: Iterable[str]) -> list[Answer]:
    """All answers, with the store opened once."""

    async def life() -> list[Answer]:
        async with Dogwatch(load(None, {}, folder)) as app:
            return [await app.ask(question) for question in questions]

    return asyncio.run(life())


def test_the_common_questions_are_answered_with_what_they_rest_on(folder: Path) -> None:
    for told, words in zip(answers(folder, ANSWERS), ANSWERS.values(), strict=True):
        assert words in " ".join(one.said for one in told.statements), told.question
        known = {one.id for one in told.evidence}
        assert {id_ for one in told.statements for id_ in one.cites} <= known


def test_before_the_first_look_not_even_health_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dogwatch.yaml").write_text("connectors:\n  airbyte: {url: 'http://127.0.0.1:1'}\n")
    told = asked("what is broken?")
    assert [one["said"] for one in told["statements"]] == [
        "Nothing has been looked at yet: no round was made."
    ]
    assert told["next"] == ["dogwatch check"]


def test_what_is_not_understood_is_answered_with_what_can_be_asked(folder: Path) -> None:
    for question in ("colourless green ideas", ""):
        shown = run("ask", question)
        assert shown.exit_code == 0
        assert len(shown.stdout.splitlines()) == len(EXAMPLES) + 1
        assert "what is broken?" in shown.stdout
    (told,) = answers(folder, ["help"])
    assert all(one.understood for one in answers(folder, told.suggestions))


def test_the_answer_is_text_that_stays_text() -> None:
    shown, page = (
        run("ask", "why is stock red?").stdout,
        run("ask", "why is stock red?", "--format", "md").stdout,
    )
    assert "rests on" in shown
    assert "dogwatch incident show INC-1" in shown
    assert "\u202e" not in shown + page
    assert "<b>" not in page
    assert "`dogwatch incident show INC-1`" in page


def test_an_incident_that_is_not_there_is_an_error_with_what_to_do() -> None:
    done = run("ask", "why INC-99?")
    assert done.exit_code == 2
    assert "there is no INC-99" in done.stderr


def test_a_conversation_goes_on_about_the_same_and_survives_an_error() -> None:
    lines = [
        "why is stock red?",
        "and who is hit?",
        "",
        "why INC-99",
        "and what can i do about it?",
        "exit",
        "x",
    ]
    done = CliRunner().invoke(dogwatch, ["chat"], input="\n".join(lines))
    assert done.exit_code == 0
    assert done.stdout.count("? ") == 4
    assert "? and who is hit?\nINC-1" in done.stdout
    assert "there is no INC-99" in done.stderr
    assert "for INC-1: waiting" in done.stdout.partition("what can i do")[2]


def test_a_conversation_ends_with_its_input(folder: Path) -> None:
    done = process("chat", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_ctrl_c_drops_a_line_and_ctrl_d_ends_at_a_terminal(folder: Path, tmp_path: Path) -> None:
    with terminal(folder, "chat", home=tmp_path) as seen:
        seen.until("Ctrl-D ends.")
        seen.until("? ")
        seen.type("half a questi")
        seen.until("questi")
        seen.interrupt("(Ctrl-D ends)")
        seen.type("what is broken?\n")
        seen.until("1 incident is open.")
        seen.until("? ")
        seen.type("\x04")
        assert seen.ended() == 0
    kept = tmp_path / ".local" / "state" / "dogwatch" / "questions"
    assert kept.read_text() == "what is broken?\n"
    assert kept.stat().st_mode & 0o077 == 0
