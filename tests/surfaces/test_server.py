"""The command line before a server: the same answers as over a store of one's own."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dogwatch.model.door import Scope
from support.cli import run
from support.site import Desk, fill, serving

READS = [
    ["incidents", "--all"],
    ["incident", "show", "INC-1"],
    ["runs", "--status", "failed", "--since", "2026-03-01"],
    ["schedule"],
    ["actions", "--all"],
    ["audit", "--limit", "3"],
    ["audit", "verify"],
]


def test_a_server_answers_as_a_store_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Desk(tmp_path) as desk:
        fill(desk)
        token = desk.token(Scope.read)
    with (
        serving(desk.app.settings, beyond=True, clock=desk.clock) as site,
        ThreadPoolExecutor(1) as elsewhere,
    ):
        away = tmp_path / "away"
        away.mkdir()
        there = {"DOGWATCH_TOKEN": token, "TZ": "Europe/Berlin"}

        def asked(*args: str, env: dict[str, str]) -> Any:
            return elsewhere.submit(lambda: run(*args, env=env)).result()

        for args in READS:
            monkeypatch.chdir(tmp_path)
            here = asked(*args, "--format", "json", env={})
            monkeypatch.chdir(away)
            told = asked(*args, "--server", site.url, "--format", "json", env=there)
            assert told.exit_code == 0, told.stderr
            assert _timeless(json.loads(told.stdout)) == _timeless(json.loads(here.stdout)), args
        shown = asked("incidents", env={**there, "DOGWATCH_SERVER": site.url})
        assert "INC-1" in shown.stdout
        none = asked("incident", "show", "99", "--server", site.url, env=there)
        assert (none.exit_code, "there is no INC-99" in none.stderr) == (2, True)
        refused = asked("incidents", "--server", site.url, env={})
        assert refused.exit_code == 2
        assert "set DOGWATCH_TOKEN" in refused.stderr


def _timeless(value: Any) -> Any:
    """Without what depends on when it was asked."""
    return {key: item for key, item in value.items() if key != "at"}
