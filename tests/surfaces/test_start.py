"""What a start imports, because imports are what it costs (bench/start.py measures)."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import clean, run

CONFIG = "timezone: UTC\nconnectors:\n  airbyte: {url: 'http://127.0.0.1:9'}\n  databricks: {url: 'http://127.0.0.1:9'}\n"
SECRET = "DOGWATCH_DATABRICKS_TOKEN=dapi\n"
LISTING = """
import sys
from dogwatch.__main__ import main
sys.argv = ["dogwatch", "runs"]
try:
    main()
finally:
    sys.stderr.write(" ".join(sys.modules))
"""


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration and a store."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dogwatch.yaml").write_text(CONFIG)
    (tmp_path / ".env").write_text(SECRET)
    assert run("runs").exit_code == 0
    return tmp_path


def test_listing_runs_imports_no_network_no_migrations_and_no_rules(known: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTING],
        cwd=known,
        env=clean(known),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stderr.split())
    assert "sqlalchemy" in loaded
    unneeded = {
        "httpx2",
        "http.cookiejar",
        "alembic",
        "psycopg",
        "sqlalchemy.dialects.postgresql",
        "starlette",
        "uvicorn",
        "dogwatch.round",
        "dogwatch.lab",
    }
    assert loaded & unneeded == set()
