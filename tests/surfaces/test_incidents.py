"""incidents and incident as a person types them, after a round over platforms of the lab."""

import json
from pathlib import Path

import pytest

from dogwatch.cli.incidents import STATES
from dogwatch.model import IncidentState
from support.cli import run
from support.watched import broken

HOSTILE = "no such table: stock | <script>@here</script> `x` \u202e"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a round has found that a job of the shop fails."""
    return broken(tmp_path_factory.mktemp("watched"), HOSTILE)


@pytest.fixture
def here(watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(watched)


@pytest.mark.usefixtures("here")
def test_an_incident_is_listed_shown_taken_on_annotated_and_written_up() -> None:
    listed = run("incidents")
    assert listed.exit_code == 0
    assert "INC-1  ERROR" in listed.stdout
    assert "● open · " in listed.stdout
    assert run("incident", "ack", "INC-1", "--by", "ana").stdout == "● INC-1 taken on by ana\n"
    assert run("incident", "note", "1", "asked the @team <b>", "--by", "ana").exit_code == 0
    shown = run("incident", "show", "inc-1").stdout
    assert "ana has taken it on" in shown
    assert "note: asked the @team <b> (ana)" in shown
    assert "\u202e" not in shown
    told = run("incident", "postmortem", "1").stdout
    for part in (
        "## Impact",
        "## Cause",
        "## Timeline",
        "## Evidence",
        "## Actions",
        "## Questions for people",
    ):
        assert part in told
    assert "<script>" not in told.replace("      no such table: stock | <script>", "")
    assert "<b>" not in told
    assert "\u202e" not in told


@pytest.mark.usefixtures("here")
def test_a_mute_a_resolution_and_a_reopening_are_told_in_a_line() -> None:
    muted = run("incident", "mute", "1", "--for", "2h", "--why", "known", "--by", "ana").stdout
    assert muted.startswith("◌ INC-1 ")
    assert "muted by ana until" in muted
    assert run("incident", "unmute", "1", "--by", "ana").exit_code == 0
    assert run("incident", "resolve", "1", "--by", "ana").stdout == "○ INC-1 resolved\n"
    assert "no incident fits" in run("incidents").stdout
    assert "○ resolved" in run("incidents", "--all").stdout
    assert run("incident", "reopen", "1", "--by", "ana").stdout.startswith("● INC-1 open")


@pytest.mark.usefixtures("here")
def test_programs_get_the_list_and_the_dossier_as_json() -> None:
    listed = json.loads(run("incidents", "--all", "--platform", "airbyte", "--format", "json").stdout)
    assert (listed["format"], [one["number"] for one in listed["incidents"]]) == ("dogwatch.incidents/1", [1])
    assert (
        json.loads(run("incidents", "--platform", "databricks", "--format", "json").stdout)["incidents"] == []
    )
    for word in ("incidents", "runs"):
        none = run(word, "--platform", "nix")
        assert (none.exit_code, "no connector is called 'nix'" in none.stderr) == (2, True)
        assert "dogwatch.yaml has: airbyte, " in none.stderr
    told = json.loads(run("incident", "show", "1", "--format", "json").stdout)
    assert told["format"] == "dogwatch.incident/1"
    known = {item["id"] for item in told["evidence"]}
    assert {id_ for cause in told["incident"]["causes"] for id_ in cause["cites"]} <= known
    assert [turn["version"] for turn in told["turns"]] == list(range(1, len(told["turns"]) + 1))
    assert "| ● INC-1 | ERROR |" in run("incidents", "--all", "--format", "md").stdout
    assert "## Timeline" in run("incident", "show", "1", "--format", "md").stdout


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "77"), "there is no INC-77"),
        (("show", "seven"), "is no incident: write INC-7 or 7"),
        (("unmute", "1"), "INC-1 is not muted by anybody"),
        (("mute", "1", "--for", "soon"), "is no time span"),
        (("note", "1", " "), "the note is empty"),
    ],
)
def test_what_cannot_be_done_is_an_error_with_what_to_do(words: tuple[str, ...], said: str) -> None:
    told = run("incident", *words)
    assert (told.exit_code, said in told.stderr) == (2, True), told.stderr


def test_the_states_of_the_help_are_those_of_the_model() -> None:
    assert list(STATES) == [state.value for state in IncidentState]
