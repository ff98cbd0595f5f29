"""The documentation as a site: built strictly, whole without a network or a server, fit for a phone."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.browser import PHONE, chromium, looked_at
from support.node import missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]
LOADED = (
    r"""(?:<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=|<link\b[^>]*\bhref=|url\(|@import )"""
    r"""\s*["']?([^"'\s>)]+)"""
)
KINDS = {".html", ".css", ".js", ".json", ".png", ".xml", ".gz"}


@pytest.fixture(scope="module")
def site(require_real: bool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; what is doubtful about a page or a link ends the building."""
    if find_spec("properdocs") is None:
        missing("properdocs is not installed (make site)", require_real)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "properdocs", "build", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium(os.environ.get("PYTEST_REQUIRE_REAL") == "1") as found:
        yield found


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    for file in [*site.rglob("*.html"), *site.rglob("*.css")]:
        loaded = re.findall(LOADED, file.read_text(encoding="utf-8"))
        assert loaded or file.suffix == ".css", file
        assert [one for one in loaded if re.match(r"(?:[a-z]+:)?//", one)] == [], file
    assert not {file.suffix for file in site.rglob("*.*")} - KINDS


def test_a_reader_finds_the_way_from_files_alone(site: Path, browser: "Browser") -> None:
    with looked_at(browser, (site / "index.html").as_uri()) as view:
        page = view.page
        page.get_by_role("link", name="the tutorial").click()
        assert "Tutorial: one night" in page.inner_text("h1")
        page.keyboard.press("/")
        page.keyboard.type("deadline fresh_by")
        page.locator("#found a", has_text="Pipelines").first.click()
        assert page.url.startswith((site / "pipelines.html").as_uri())
        assert view.complaints == []
        assert [url for url in view.requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("name", ["index", "tutorial", "configuration", "api", "connectors/databricks"])
def test_nobody_scrolls_sideways_on_a_phone(site: Path, browser: "Browser", name: str) -> None:
    with looked_at(browser, (site / f"{name}.html").as_uri(), width=PHONE) as view:
        assert view.overflow == 0, view.too_wide
        assert not view.page.get_by_role("link", name="Troubleshooting").is_visible()
        view.page.get_by_text("All pages").click()
        assert view.page.get_by_role("link", name="Troubleshooting").first.is_visible()
