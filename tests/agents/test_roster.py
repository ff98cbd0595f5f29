"""Agents as files: ours, the user's, and those that were written for other programs."""

from pathlib import Path

import pytest

from dogwatch import connectors
from dogwatch.agents.roster_files import Standing, read_agent, read_folder, roster, shipped
from dogwatch.agents.tools import TOOLS, Authority
from dogwatch.errors import SettingsError

BRIEF = Path(__file__).parents[2] / ".." / "shared" / "brief"
WHOLE = """---
name: own-analyst
description: Looks at one thing.
tools: list_runs, read_evidence
model: openai:gpt-5-mini
limits: {iterations: 3, tool_calls: 4}
can_spawn: [log-analyst]
authority: read
---
# Own analyst

Look at one thing.
"""


def test_an_agent_is_a_markdown_file_with_front_matter() -> None:
    one = read_agent("own.md", WHOLE)
    assert (one.name, one.tools, one.model) == (
        "own-analyst",
        ("read_evidence", "list_runs"),
        "openai:gpt-5-mini",
    )
    assert (one.limits.iterations, one.limits.tool_calls, one.can_spawn) == (3, 4, ("log-analyst",))
    assert one.instructions.startswith("# Own analyst")
    assert not one.faults
    assert not one.notes


def test_every_shipped_agent_is_without_fault_or_note_and_none_may_do_more_than_propose() -> None:
    for one in shipped():
        assert not one.faults, one.name
        assert not one.notes, one.name
        beyond = [name for name in one.tools if TOOLS[name].authority is Authority.propose]
        assert not beyond or one.authority is Standing.propose


def test_there_is_a_specialist_for_every_platform() -> None:
    found = roster({name: connectors.load(name).title for name in connectors.names()})
    for name in connectors.names():
        one = found[f"{name.replace('_', '-')}-specialist"]
        assert one.name in found["orchestrator"].can_spawn
        assert "{platform}" not in one.description + one.instructions
    wanted = {"triage", "root-cause", "reporter", "email-writer", "pipeline-designer", "operations-engineer"}
    assert wanted <= found.keys()
    assert set(found["operations-engineer"].can_spawn) == {
        *("deployment-specialist", "monitoring-specialist"),
        *("security-auditor", "cost-optimizer"),
    }


def test_the_users_own_file_replaces_ours_unless_something_is_wrong_with_it(tmp_path: Path) -> None:
    (tmp_path / "triage.md").write_text("---\nname: triage\ndescription: Mine.\n---\nSort.", encoding="utf-8")
    (tmp_path / "bad.md").write_text(
        "---\nname: reporter\nlimits: {iterations: 99}\n---\nx", encoding="utf-8"
    )
    own = read_folder(tmp_path)
    found = roster({}, own)
    assert found["triage"].description == "Mine."
    assert found["triage"].own
    assert not found["reporter"].own
    assert [one.faults for one in own if one.faults] == [
        ("limits.iterations: Input should be less than or equal to 10",)
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("---\nname: x\n", "the front matter has no end: a line of three dashes is missing"),
        ("---\nname: [\n---\nx", "the front matter is not YAML that can be read at line 2"),
        ("---\n- a\n---\nx", "the front matter is not a mapping of keys to values"),
        ("---\nname: Not A Name\n---\nx", "name: 'Not A Name' is not of the form small-words-with-hyphens"),
        ("---\nname: x\n---\n", "has no instructions below its front matter"),
        ("---\nname: x\nauthority: root\n---\nx", "authority: 'root' is neither read nor propose"),
        (
            "---\nname: x\ntools: [propose_action]\n---\nx",
            "tools: propose_action needs authority: propose",
        ),
        ("---\nname: x\nlimits: {depth: 9}\n---\nx", "limits.depth: Input should be less than or equal to 3"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(text: str, fault: str) -> None:
    assert fault in read_agent("own.md", text).faults


def test_all_tools_without_the_authority_are_those_that_read() -> None:
    one = read_agent("own.md", '---\nname: x\ndescription: d\ntools: ["*"]\n---\nx')
    assert "propose_action" not in one.tools
    assert "list_runs" in one.tools
    assert not one.faults


def test_a_folder_that_is_none_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is no folder"):
        read_folder(tmp_path / "absent")


@pytest.mark.parametrize(
    ("file", "name", "note"),
    [
        ("000-dataops-builder.md", "dataops-builder", "keys not understood: kb_sources, color"),
        ("001-aiops-operator.md", "aiops-operator", "keys not understood: skills"),
        ("002-data-pipeline.md", "data-pipeline", "name: none; 'data-pipeline' from the file's name is used"),
        ("003-operations-engineer.md", "operations-engineer", "the section Authority grants nothing"),
    ],
)
def test_files_for_other_programs_load_and_say_what_was_not_understood(
    file: str, name: str, note: str
) -> None:
    if not BRIEF.is_dir():
        pytest.skip("the files are not beside this checkout")
    one = read_agent(file, (BRIEF / file).read_text("utf-8"))
    assert one.name == name
    assert not one.faults
    assert any(said.startswith(note) for said in one.notes)
    assert one.authority is Standing.read
    assert "propose_action" not in one.tools


def test_whom_nobody_knows_is_left_out_of_can_spawn_and_named() -> None:
    own = read_agent("own.md", WHOLE.replace("log-analyst", "wizard"))
    found = roster({}, [own])["own-analyst"]
    assert found.can_spawn == ()
    assert found.notes == ("can_spawn: there is no agent wizard",)
