"""The command line, run as a person would: in this process, or as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner, Result

from dogwatch.cli import dogwatch


def run(*args: str, env: Mapping[str, str | None] | None = None) -> Result:
    """``dogwatch args`` in this process and in the current folder; stdout and stderr apart."""
    return CliRunner().invoke(dogwatch, list(args), env=env)


def process(*args: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """``dogwatch args`` as a process of its own, with an own home and nothing else in its environment."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "dogwatch", *args],
        cwd=cwd,
        env=clean(cwd) | dict(env or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}
"""For a process whose files cannot grow: Python would keep what fits of a module, which nobody can import."""


def clean(home: Path) -> dict[str, str]:
    """An environment with the least that a process needs."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
