"""policy.yaml: the example that people begin with, its schema, and how mistakes are told."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types
from ruamel.yaml import YAML

from dogwatch.errors import SettingsError
from dogwatch.heal.policy import Decision, Policy
from dogwatch.settings.consent import read_policy
from dogwatch.settings.policy_text import EXAMPLE, policy_schema
from support.cli import run


def uncommented() -> str:
    """The example with what stands in its comments below the first line."""
    lines = [line.removeprefix("# ") for line in EXAMPLE.splitlines()[2:]]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("text", [EXAMPLE, uncommented()])
def test_the_example_is_a_policy_and_fits_the_schema(tmp_path: Path, text: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    assert [rule.then for rule in read_policy(file, tmp_path).rules] == [
        Decision.refuse,
        Decision.allow,
        Decision.ask,
    ]
    schema = policy_schema()
    Draft202012Validator.check_schema(schema)
    assert list(Draft202012Validator(schema).iter_errors(YAML(typ="safe").load(text))) == []


def test_the_schema_refuses_what_dogwatch_refuses() -> None:
    wrong = {"rules": [{"then": "allow", "verbs": "rerun", "job": "x"}]}
    assert list(Draft202012Validator(policy_schema()).iter_errors(wrong))


def test_without_the_file_everything_is_asked_for(tmp_path: Path) -> None:
    assert read_policy(tmp_path / "policy.yaml", tmp_path) == Policy()


def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        "rules:\n  - {then: allow, verbs: rerun, job: x}\nbounds: {per_hour: -1}\n", encoding="utf-8"
    )
    with pytest.raises(SettingsError) as told:
        read_policy(file, tmp_path)
    assert "policy.yaml:2: rules.0.job: unknown key; did you mean jobs?" in told.value.message
    assert "policy.yaml:3: bounds.per_hour: " in told.value.message
    assert told.value.hint == "until it is mended every action is refused"


def test_init_writes_the_example_and_leaves_it_alone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "policy.example.yaml" in run("init", "airbyte").stdout
    assert (
        json.loads((tmp_path / ".dogwatch.policy.schema.json").read_text(encoding="utf-8")) == policy_schema()
    )
    (tmp_path / "policy.example.yaml").write_text("mine", encoding="utf-8")
    run("init", "databricks")
    assert (tmp_path / "policy.example.yaml").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "policy.yaml").exists()
