"""The small scripts of action.yml, each by itself: what fails a run, and what is said of gaps."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
ACTION: Any = YAML(typ="safe", pure=True).load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: dict[str, str] = {step["name"]: step["run"] for step in ACTION["runs"]["steps"] if "run" in step}


@pytest.mark.parametrize(
    ("code", "asked", "fails"),
    [
        ("0", "1,2,3", False),
        ("1", "2", False),
        ("1", "1, 3", True),
        ("2", "2", True),
        ("3", "1,2,3", True),
        ("3", "none", False),
        ("1", "", False),
        ("1", "31", False),
    ],
)
def test_a_run_fails_on_the_exit_codes_asked_for_and_on_no_other(code: str, asked: str, fails: bool) -> None:
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", STEPS["Say whether the pipelines are well"]],
        env={"CODE": code, "FAIL_ON": asked},
        capture_output=True,
        text=True,
    )
    assert done.returncode == (int(code) if fails else 0)
    assert f"(exit code {code})" in done.stdout
    assert done.stdout.startswith("::error title=dogwatch::") == fails


@pytest.mark.parametrize(
    ("before", "every", "said"),
    [
        ("2026-11-20T06:45:00Z", "15", ""),
        ("2026-11-20T06:20:00Z", "15", "::warning title=dogwatch::The last look was 40 minutes ago, not 15"),
        ("2026-11-20T06:20:00Z", "0", ""),
        (None, "15", "::notice title=dogwatch::Nothing was remembered"),
    ],
)
def test_a_gap_between_runs_is_told(tmp_path: Path, before: str | None, every: str, said: str) -> None:
    told = {"at": "2026-11-20T07:00:00Z", "previous_round_at": before}
    (tmp_path / "check.json").write_text(json.dumps(told))
    program = STEPS["Write the reports"].partition("<< 'EOF'\n")[2].partition("\nEOF\n")[0]
    done = subprocess.run(
        [sys.executable, "-", str(tmp_path / "check.json"), every],
        input=program,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(said)
    assert bool(done.stdout) == bool(said)


@pytest.mark.parametrize("name", STEPS)
def test_every_script_can_be_read_and_takes_nothing_by_pasting(name: str) -> None:
    subprocess.run(["bash", "-n"], input=STEPS[name], text=True, check=True)
    assert "${{" not in STEPS[name]  # inputs come as variables, so that none can be a command
