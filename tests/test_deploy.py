"""The files in deploy/: what they name is there, and those who read them accept them."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from support.node import missing

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"


def named(text: str) -> set[str]:
    """Figures of dogwatch that a text names."""
    return set(re.findall(r"\bdogwatch_[a-z_]+\b", text))


def test_the_dashboard_and_the_alerts_ask_for_figures_that_there_are() -> None:
    board = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))
    asked = {name for panel in board["panels"] for one in panel["targets"] for name in named(one["expr"])}
    asked |= named((DEPLOY / "alerts.yaml").read_text(encoding="utf-8"))
    told: set[str] = set()
    for file in ("lookup/vitals.py", "web/service.py"):
        told |= named((ROOT / "src" / "dogwatch" / file).read_text(encoding="utf-8"))
    assert asked
    assert asked <= told


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    board = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_the_image_is_small_and_nobody_is_root_in_it() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    last = lines[max(at for at, line in enumerate(lines) if line.startswith("FROM")) :]
    assert last[0].endswith("-slim")
    assert not [line for line in last if "pip" in line or "apt" in line]
    assert [line for line in last if line.startswith("USER")] == ["USER 10001:10001"]
    assert last.index("USER 10001:10001") < next(
        at for at, line in enumerate(last) if line.startswith("ENTRYPOINT")
    )


def test_compose_gives_dogwatch_no_rights_and_mounts_files_that_there_are() -> None:
    reader: Any = YAML(typ="safe", pure=True)
    services = reader.load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    ours = services["dogwatch"]
    for one in (ours, services["worker"]):
        assert one["cap_drop"] == ["ALL"]
        assert one["read_only"] is True
        assert one["build"] == ours["build"]
    assert ours["ports"] == ["127.0.0.1:8711:8711"]
    assert (DEPLOY / ours["build"]["context"] / ours["build"]["dockerfile"]).is_file()
    mounts = [one.partition(":")[0] for service in services.values() for one in service["volumes"]]
    shipped = [one for one in mounts if not one.startswith(("./data", "./secrets"))]
    assert shipped
    assert all((DEPLOY / one).is_file() for one in shipped)


@pytest.mark.real
def test_systemd_accepts_the_unit_and_finds_it_tight(tmp_path: Path, require_real: bool) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        missing("systemd-analyze is not installed (Debian: systemd)", require_real)
    unit = (DEPLOY / "dogwatch.service").read_text(encoding="utf-8")
    there = ("User=dogwatch\n", "Group=dogwatch\n")  # made by whoever installs it
    assert all(line in unit for line in there)
    for line in there:
        unit = unit.replace(line, "")
    unit = unit.replace("/opt/dogwatch/bin/dogwatch", "/bin/true")
    (tmp_path / "dogwatch.service").write_text(unit, encoding="utf-8")
    checked = subprocess.run(
        [program, "verify", str(tmp_path / "dogwatch.service")], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    judged = subprocess.run(
        [program, "security", "--offline=yes", "--threshold=40", str(tmp_path / "dogwatch.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout[-500:]
