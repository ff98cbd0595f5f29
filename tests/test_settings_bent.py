"""Every example of a configuration in docs/, bent at each of its places: it loads, or says what is wrong."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dogwatch import settings
from dogwatch.errors import SettingsError
from dogwatch.settings.consent import read_policy

DOCS = Path(__file__).parents[1] / "docs"
CONNECTORS = {"airbyte": {"url": "http://127.0.0.1:9"}}
BENT: tuple[Any, ...] = (None, True, -1, 10**30, "", "\u202e25:61", [], {}, [[]], [{}], {"x": {"x": []}})


def _examples() -> Iterator[tuple[str, dict[str, Any]]]:
    for page in sorted(DOCS.glob("*.md")):
        for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)):
            found = YAML(typ="safe").load(block)
            if isinstance(found, dict):
                yield f"{page.stem}-{number}", found


EXAMPLES = {
    name: {"connectors": CONNECTORS, **found}
    for name, found in _examples()
    if found.keys() <= settings.schema()["properties"].keys()
}
POLICIES = {name: found for name, found in _examples() if "rules" in found}


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield (*path, key)
        yield from _places(child, (*path, key))


def _bent(whole: dict[str, Any], step: int) -> Iterator[dict[str, Any]]:
    """With each place bent in each way; with a step of 4, in every fourth."""
    for number, path in enumerate(_places(whole)):
        for change in (*BENT, KeyError)[number % step :: step]:
            other = copy.deepcopy(whole)
            holder: Any = other
            for key in path[:-1]:
                holder = holder[key]
            if change is KeyError:
                del holder[path[-1]]
            else:
                holder[path[-1]] = change
            yield other


def _refused(whole: dict[str, Any], step: int, file: Path, load: Callable[[], object]) -> Iterator[str]:
    for other in _bent(whole, step):
        file.write_text(json.dumps(other), encoding="utf-8")  # which is YAML too
        try:
            load()
        except SettingsError as error:
            yield error.message


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_bent_configuration_loads_or_says_what_is_wrong(name: str, step: int, tmp_path: Path) -> None:
    file = tmp_path / "dogwatch.yaml"
    told = list(_refused(EXAMPLES[name], step, file, lambda: settings.load(None, {}, tmp_path)))
    assert told
    assert [message for message in told if file.name not in message] == []


@pytest.mark.parametrize("name", POLICIES)
def test_a_bent_policy_is_read_or_says_what_is_wrong(name: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    told = list(_refused(POLICIES[name], 1, file, lambda: read_policy(file, tmp_path)))
    assert told
    assert [message for message in told if file.name not in message] == []
