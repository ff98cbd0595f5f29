"""``dogwatch init``: what it writes is a configuration that works, and nothing is ever lost."""

import json
import re
import stat
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dogwatch import connectors, settings
from dogwatch.settings import scaffold
from support.cli import run

SECRET = "planted-secret-value"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fill(folder: Path, kinds: list[str]) -> dict[str, str]:
    """What a person does next: a value for every key that stands open, and the credentials."""
    environ: dict[str, str] = {}
    for kind in kinds:
        for row in scaffold.connector_rows(kind):
            if row.required and not row.secret:
                environ[row.variable] = "https://orders.example" if "url" in row.key else "orders"
    for name in ("DOGWATCH_AIRBYTE_CLIENT_ID", "DOGWATCH_AIRBYTE_CLIENT_SECRET", "DOGWATCH_DATABRICKS_TOKEN"):
        if any(name.startswith(f"DOGWATCH_{kind.upper()}_") for kind in kinds):
            environ[name] = SECRET
    return environ


def values(folder: Path) -> object:
    return YAML(typ="safe").load((folder / "dogwatch.yaml").read_text())


def test_what_is_written_can_be_read_once_the_credentials_are_there(tmp_path: Path) -> None:
    told = run("init", "airbyte", "databricks")
    assert told.exit_code == 0, told.stderr
    read = settings.load(None, fill(tmp_path, ["airbyte", "databricks"]), tmp_path)
    assert list(read.connectors) == ["airbyte", "databricks"]


@pytest.mark.parametrize("kind", connectors.names())
def test_every_platform_can_begin_alone_and_every_line_is_explained(kind: str, tmp_path: Path) -> None:
    told = run("init", kind)
    assert told.exit_code == 0, told.stderr
    yaml, env = (tmp_path / "dogwatch.yaml").read_text(), (tmp_path / ".env.example").read_text()
    for row in scaffold.connector_rows(kind):
        if row.elsewhere:
            assert row.key not in yaml + env
        elif row.secret:
            assert f"\n{row.variable}=\n" in env
            assert f"    {row.key}:" not in yaml
            assert f"    # {row.key}:" not in yaml
        else:
            assert f"    {row.key}:" in yaml or f"    # {row.key}:" in yaml
    lines = env.splitlines()
    assert all(lines[at - 1].startswith("# ") for at, line in enumerate(lines) if line.endswith("="))


def test_the_next_steps_are_told_and_are_the_right_ones(tmp_path: Path) -> None:
    told = run("init", "airbyte").stdout
    assert "cp .env.example .env && chmod 600 .env" in told
    assert "dogwatch doctor" in told
    (tmp_path / ".env").write_text("DOGWATCH_AIRBYTE_CLIENT_ID=x\n")
    told = run("init", "databricks").stdout
    assert "cp " not in told
    assert "DOGWATCH_DATABRICKS_TOKEN" in told


def test_editors_find_the_schema_by_the_first_line(tmp_path: Path) -> None:
    run("init", "airbyte")
    first = (tmp_path / "dogwatch.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=.dogwatch.schema.json"
    assert json.loads((tmp_path / ".dogwatch.schema.json").read_text()) == settings.schema()


def test_a_platform_is_added_to_what_is_there(tmp_path: Path) -> None:
    run("init", "airbyte")
    before = (tmp_path / "dogwatch.yaml").read_text(), (tmp_path / ".env.example").read_text()
    told = run("init", "databricks")
    assert told.exit_code == 0, told.stderr
    after = (tmp_path / "dogwatch.yaml").read_text(), (tmp_path / ".env.example").read_text()
    assert after[0].startswith(before[0])
    assert after[1].startswith(before[1])
    assert after[1].count("DOGWATCH_DATABRICKS_TOKEN=") == 1


def test_a_platform_that_is_there_already_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    run("init", "airbyte")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    told = run("init", "airbyte")
    assert told.exit_code == 2
    assert "dogwatch.yaml has airbyte already" in told.stderr
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "text",
    [
        "connectors:\n  airbyte: {}\n",
        "# mine\nconnectors:\n    airbyte:  # ours\n        url: http://a.b\n\n# the zone\ntimezone: UTC\n",
        "timezone: UTC\n",
        "timezone: UTC",
        "connectors:\n\nstore: x.db\n",
        "connectors:\n  airbyte:\n    # url: http://a.example\n# about history\nhistory_days: 3\n",
        "connectors:\r\n  airbyte: {}\r\nstore: x.db\r\n",
        "\ufeffconnectors:\n  airbyte: {}\n",
        "connectors:\n  airbyte:\n    url: >\n      http://a.example\n\n\n",
        "",
    ],
)
def test_a_block_is_put_in_without_touching_a_line(text: str, tmp_path: Path) -> None:
    file = tmp_path / "dogwatch.yaml"
    file.write_bytes(text.encode())
    told = run("init", "databricks")
    assert told.exit_code == 0, told.stderr
    after = file.read_bytes().decode("utf-8-sig")
    old = YAML(typ="safe").load(text.removeprefix("\ufeff")) or {}
    new = YAML(typ="safe").load(after)
    assert "databricks" in new["connectors"]
    expected = {**(old.get("connectors") or {}), "databricks": new["connectors"]["databricks"]}
    assert new == {**old, "connectors": expected}
    kept = [line for line in text.removeprefix("\ufeff").splitlines() if line]
    assert [line for line in after.splitlines() if line in kept] == kept
    if "\r\n" in text:
        assert after.count("\n") == after.count("\r\n")


@pytest.mark.parametrize(
    "text", ["connectors: {airbyte: {}}\n", "- a\n", "connectors: [airbyte]\n", "{connectors: {}}\n"]
)
def test_what_cannot_be_added_to_safely_is_left_alone_and_the_block_is_shown(
    text: str, tmp_path: Path
) -> None:
    file = tmp_path / "dogwatch.yaml"
    file.write_text(text)
    told = run("init", "databricks")
    assert told.exit_code == 2
    assert "nothing was changed" in told.stderr
    assert "\n  databricks:\n" in told.stderr
    assert file.read_text() == text
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["dogwatch.yaml"]


def test_an_unknown_platform_suggests_the_nearest_and_writes_nothing(tmp_path: Path) -> None:
    told = run("init", "airbyte", "databrick")
    assert told.exit_code == 2
    assert "did you mean databricks?" in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    told = run("--config", "nowhere/dogwatch.yaml", "init", "airbyte")
    assert told.exit_code == 2
    assert told.stderr.startswith("error: cannot write nowhere/dogwatch.yaml: ")


def test_another_file_name_is_carried_into_the_next_steps(tmp_path: Path) -> None:
    told = run("--config", "night.yaml", "init", "airbyte")
    assert "dogwatch --config night.yaml doctor" in told.stdout
    assert (tmp_path / "night.yaml").exists()


def test_the_example_holds_no_value_at_all(tmp_path: Path) -> None:
    run("init", *connectors.names())
    lines = (tmp_path / ".env.example").read_text().splitlines()
    assert all(not line or line.startswith("#") or line.endswith("=") for line in lines)
    assert stat.S_ISREG((tmp_path / ".env.example").stat().st_mode)


# ── coding assistants ───────────────────────────────────────────────────────────────────────────────────────


def test_what_stands_at_the_top_is_each_key_with_its_own_default(tmp_path: Path) -> None:
    assert run("init", "airbyte").exit_code == 0
    head = (tmp_path / "dogwatch.yaml").read_text().partition("\nconnectors:")[0]
    shown = dict(re.findall(r"^# (\w+):(?!/)(.*)$", head, re.MULTILINE))
    told = {key: value.strip() for key, value in shown.items() if key != "timezone"}
    assert told == {"store": "dogwatch.db", "history_days": "30", "runbooks": ""}


def test_an_assistant_gets_a_command_agents_and_the_server(tmp_path: Path) -> None:
    (tmp_path / ".mcp.json").write_text('{"mcpServers": {"other": {"command": "x"}}, "mine": 1}')
    done = run("init", "--assistant")
    assert done.exit_code == 0, done.output
    servers = json.loads((tmp_path / ".mcp.json").read_text())
    assert servers["mine"] == 1
    assert servers["mcpServers"] == {
        "other": {"command": "x"},
        "dogwatch": {"command": "dogwatch", "args": ["mcp"]},
    }
    command = (tmp_path / ".claude/commands/dataops-check.md").read_text()
    agents = sorted(path.name for path in (tmp_path / ".claude/agents").iterdir())
    assert agents == ["dataops-root-cause.md", "dataops-triage.md"]
    assert command.startswith("---\ndescription: ")
    assert "$ARGUMENTS" in command
    again = run("init", "--assistant")
    assert again.exit_code == 0
    assert "left" in again.stdout
    assert json.loads((tmp_path / ".mcp.json").read_text()) == servers
    assert not (tmp_path / "dogwatch.yaml").exists()


def test_the_tools_that_assistants_are_told_of_exist(tmp_path: Path) -> None:
    offered = json.loads((Path(__file__).parent / "golden" / "mcp.json").read_text())["tools"]
    known = {f"mcp__dogwatch__{one['name']}" for one in offered}
    assert run("init", "--assistant").exit_code == 0
    for path in (tmp_path / ".claude").rglob("*.md"):
        named = set(re.findall(r"mcp__dogwatch__\w+", path.read_text()))
        assert named
        assert named <= known, path.name


@pytest.mark.parametrize("text", ["[]", "{", '{"mcpServers": []}'])
def test_a_list_of_servers_that_makes_no_sense_is_left_alone(text: str, tmp_path: Path) -> None:
    (tmp_path / ".mcp.json").write_text(text)
    done = run("init", "--assistant")
    assert done.exit_code == 2
    assert "nothing was changed" in done.stderr
    assert (tmp_path / ".mcp.json").read_text() == text


def test_nothing_at_all_is_a_mistake() -> None:
    done = run("init")
    assert done.exit_code == 2
    assert "missing" in done.stderr.lower()
