"""The lock of the CrewAI package knows what dogwatch needs.

It also holds dogwatch's extras and development tools as they were when it was made, which is why the package
is installed with ``--frozen``: what it installs of dogwatch is compared here.
"""

import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def _read(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


def test_the_lock_of_crewai_has_what_dogwatch_needs() -> None:
    needed = {Requirement(one) for one in _read("pyproject.toml")["project"]["dependencies"]}
    locked = {one["name"]: one for one in _read("packages/crewai/uv.lock")["package"] if "version" in one}
    (dogwatch,) = (one for one in _read("packages/crewai/uv.lock")["package"] if one["name"] == "dogwatch")
    assert {one["name"] for one in dogwatch["dependencies"]} == {
        one.name.replace(".", "-") for one in needed
    }, "run: uv lock --project packages/crewai"
    for one in needed:
        assert locked[one.name.replace(".", "-")]["version"] in one.specifier, one
