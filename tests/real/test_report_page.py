"""The report in a real browser: phone and desktop, light and dark, with the worst that platforms can say."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from dogwatch.lab.estate import parse_estate
from dogwatch.lab.serve import Lab
from support.browser import DESKTOP, PHONE, chromium, looked_at
from support.cli import run
from support.estates import entry, faults, world
from support.node import missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.real

AXE = Path(__file__).parents[2] / ".node" / "node_modules" / "axe-core" / "axe.min.js"
KEPT = os.environ.get("PICTURES")
"""A folder for pictures, for people who want to look themselves."""
SCRIPT = "<script>window.ran=1</script><img src=x onerror='window.ran=1'></title></style></svg>"
NAMES = {
    "airbyte/stock": f"{SCRIPT} \u202egnp.exe \u2066 & \"stock\" 'x' {'x' * 10_000}",
    "airbyte/orders": f"<b>orders</b> \u202e{'gnol ' * 40}",
    "airbyte/plain": "Orders PG → RAW",
    "databricks/hourly": "W" * 10_000,
}
ERROR = f"{SCRIPT} javascript:alert(1) \u202e{{{{7*7}}}} %s {'e' * 10_000}"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of an estate that means ill, with a platform that cannot be seen."""
    folder = tmp_path_factory.mktemp("hostile")
    now = datetime.now(UTC)
    jobs = "".join(
        f"  {job}: {{every: 30m, duration: 4m, name: {json.dumps(name)}}}\n" for job, name in NAMES.items()
    )
    text = f"id: hostile\ntimezone: Europe/Berlin\njobs:\n{jobs}  snowflake/mart: {{every: 60m}}\n"
    estate = parse_estate(entry(text, folder))
    began = (now - timedelta(hours=3)).isoformat()
    broken = "".join(
        f"- {{at: '{began}', on: {job}, kind: run_fails, error: {json.dumps(ERROR)}}}\n"
        for job in ("airbyte/stock", "databricks/hourly")
    )
    lab = Lab(world(estate, faults(broken, estate, folder), now=now))
    with lab.serve() as urls, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        lab.write_config(folder, {**urls, "snowflake": "http://127.0.0.1:9"}, history_days=2)
        assert run("check").exit_code == 1
        assert run("report").exit_code == 0
    return folder / "dogwatch-report.html"


@pytest.fixture(scope="module")
def browser(report: Path, request: pytest.FixtureRequest) -> Iterator["Browser"]:
    required = os.environ.get("PYTEST_REQUIRE_REAL") == "1"
    if not AXE.exists():
        missing("axe-core is not installed under .node/ (make real)", required)
    with chromium(required) as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_nothing_runs_nothing_is_fetched_and_nobody_scrolls_sideways(
    browser: "Browser", report: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    with looked_at(browser, report.as_uri(), width=width, scheme=scheme) as view:
        for unfolded in (False, True):
            if unfolded:
                view.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            assert view.overflow == 0, view.too_wide
            if KEPT:
                name = f"report-{width}-{scheme}-{'open' if unfolded else 'folded'}.png"
                view.page.screenshot(path=f"{KEPT}/{name}", full_page=True)
        assert view.page.evaluate("() => [window.ran, document.scripts.length, document.images.length]") == [
            None,
            0,
            0,
        ]
        assert view.complaints == []
        assert view.requests == [report.as_uri()]
        paper = view.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(253, 253, 252)" if scheme == "light" else "rgb(23, 20, 18)")
        text = view.page.inner_text("body")
        assert "<script>window.ran=1</script>" in text  # told, as text
        assert not {"\u202e", "\u2066"} & set(text)


@pytest.mark.parametrize(
    ("scheme", "rules"),
    [("light", "['wcag2a', 'wcag2aa']"), ("dark", "{type: 'rule', values: ['color-contrast']}")],
)
def test_who_sees_badly_or_not_at_all_can_read_it(
    browser: "Browser", report: Path, scheme: Literal["light", "dark"], rules: str
) -> None:
    with looked_at(browser, report.as_uri(), scheme=scheme) as view:
        view.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        view.page.evaluate(AXE.read_text(encoding="utf-8"))  # by the driver, beside the page's own policy
        found: Any = view.page.evaluate(f"() => axe.run({{runOnly: {rules}, resultTypes: ['violations']}})")
        told = [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found["violations"]]
        assert told == []
        labels = view.page.eval_on_selector_all("svg[role=img]", "all => all.map(one => one.ariaLabel)")
        assert labels
        assert all(labels)
        assert any("bad days of 30: " in label for label in labels)


def test_what_is_folded_is_printed(browser: "Browser", report: Path) -> None:
    with looked_at(browser, report.as_uri()) as view:
        seen = "() => document.querySelector('details pre').checkVisibility({contentVisibilityAuto: true})"
        assert view.page.evaluate(seen) is False
        view.page.emulate_media(media="print")
        view.page.wait_for_function(seen)  # it is laid out anew first
        assert view.overflow == 0
