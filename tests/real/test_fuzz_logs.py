"""Reading logs, fuzzed by atheris with coverage as a guide: seconds here, minutes in ``make soak``."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.real
HARNESS = Path(__file__).parents[1] / "support" / "fuzz_logs.py"


def test_no_input_that_coverage_leads_to_breaks_the_reading_of_logs(
    require_real: bool, tmp_path: Path
) -> None:
    if find_spec("atheris") is None:
        assert not require_real, "atheris is missing: uv sync --group real"
        pytest.skip("atheris is not installed: uv sync --group real")
    told = subprocess.run(
        [sys.executable, str(HARNESS), "-max_total_time=6", "-seed=7"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-4000:]
    assert "Done" in told.stderr
    assert not list(tmp_path.iterdir())
