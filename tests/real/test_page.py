"""The page in a real browser: every page and flow, wide and narrow, light and dark, hostile data too."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from dogwatch.model import ActionState, IncidentState
from dogwatch.settings import load
from support.browser import DESKTOP, PHONE, View, chromium, looked_at
from support.cli import clean
from support.healing import ONE_RUN
from support.node import missing
from support.saying import talk
from support.site import HOSTILE, Desk, Served, WardRoom, fill, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.real
AXE = Path(__file__).parents[2] / ".node" / "node_modules" / "axe-core" / "axe.min.js"
KEPT = os.environ.get("PYTEST_PICTURES", "")
"""A folder in which pictures of the pages are kept."""
FAILS = f'kind: run_fails, {ONE_RUN}, error: "Could not connect to host db-1:5432: connection timed out"'
WATCHED = """
document.addEventListener('securitypolicyviolation', e => {
  window.violations = (window.violations || []);
  window.violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`);
});
"""


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator["Browser"]:
    required = os.environ.get("PYTEST_REQUIRE_REAL") == "1"
    if not AXE.exists():
        missing("axe-core is not installed under .node/ (make real)", required)
    with chromium(required) as found:
        yield found


def sound(view: View) -> None:
    """Nobody scrolls sideways; nothing on the console, against the policy, or from elsewhere."""
    assert view.overflow == 0, view.too_wide
    assert view.complaints == []
    assert view.page.evaluate("() => window.violations || []") == []
    assert [url for url in view.requests if not url.startswith("http://127.0.0.1:")] == []


def serious(view: View) -> list[str]:
    """What axe-core finds of weight. Its script is put in by the driver, beside the page's own policy."""
    view.page.evaluate(AXE.read_text(encoding="utf-8"))
    found: Any = view.page.evaluate("() => axe.run({runOnly: ['wcag2a', 'wcag2aa']})")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:160]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def picture(view: View, name: str) -> None:
    """Keep a picture, if somebody wants them."""
    if KEPT:
        view.page.screenshot(path=f"{KEPT}/{name}.png", full_page=True)


def test_an_incident_appears_is_understood_is_acted_upon_and_resolves(
    browser: "Browser", tmp_path: Path
) -> None:
    with WardRoom(tmp_path, "airbyte", FAILS, name="Orders PG to RAW") as room, room.page() as site:
        ward = room.ward
        room.does(lambda: ward.round(9))
        with looked_at(browser, site.link) as view:
            page = view.page
            page.add_init_script(WATCHED)
            page.goto(site.url)
            page.wait_for_selector("body[data-live]")
            assert page.inner_text("h1") == "○ Everything as expected."
            room.does(lambda: ward.round(9, 20))
            page.wait_for_selector("#incidents article")  # nobody reloads
            assert page.inner_text("h1") == "● 1 incident open."
            page.keyboard.press("j")
            page.keyboard.press("Enter")
            page.wait_for_selector("#evidence .fact")
            assert "connection timed out" in page.inner_text("#what")
            assert "connection timed out" in page.inner_text("#evidence")
            picture(view, "flow-incident")
            page.click("#do summary.button:has-text('Orders PG to RAW')")
            page.click("#do .action button.go")
            page.wait_for_selector("#do .action:has-text('performed')")
            picture(view, "flow-performed")
            page.click("#note summary")
            page.fill("#note textarea", HOSTILE)
            page.click("#note button")
            page.wait_for_selector("#timeline li:has-text('alert')")
            page.wait_for_selector("body[data-live]")
            room.does(lambda: ward.rounds((9, 35), (11, 15), every=50))
            page.wait_for_selector("#what:has-text('resolved')")
            page.wait_for_selector("#done .action:has-text('helped')")
            picture(view, "flow-resolved")
            sound(view)
        (action,) = [one for one in ward.actions() if one.decided_by == "user:anna"]
        assert action.state is ActionState.helped
        assert ward.incident(1).state is IncidentState.resolved


def test_what_is_being_written_is_not_renewed_away(browser: "Browser", tmp_path: Path) -> None:
    with WardRoom(tmp_path, "airbyte", FAILS) as room, room.page() as site:
        ward = room.ward
        room.does(lambda: ward.round(9))
        room.does(lambda: ward.round(9, 20))
        with looked_at(browser, site.link) as view:
            page = view.page
            page.goto(f"{site.url}/incidents/INC-1")
            page.wait_for_selector("body[data-live]")
            page.click("#note summary")
            page.fill("#note textarea", "half a thought")
            room.does(lambda: ward.round(9, 40))
            page.wait_for_selector("body[data-renewed]")
            assert page.input_value("#note textarea") == "half a thought"
            sound(view)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """What ``dogwatch demo`` leaves behind."""
    folder = tmp_path_factory.mktemp("estate")
    command = [sys.executable, "-m", "dogwatch", "demo"]
    subprocess.run(command, cwd=folder, env=clean(folder), check=True, capture_output=True, timeout=120)
    with serving(load(None, {}, folder / "dogwatch-demo")) as site:
        yield site


def pages_of(site: Served, view: View) -> dict[str, str]:
    """One of each, by the name of its picture."""
    view.page.goto(f"{site.url}/incidents/INC-1")
    job = view.page.get_attribute("#what dd a[href^='/jobs/']", "href")
    finding = view.page.get_attribute("a[href^='/findings/']", "href")
    assert job
    assert finding
    return {
        "tonight": "/",
        "incidents": "/incidents",
        "incident": "/incidents/INC-1",
        "incident-slow": "/incidents/INC-2",
        "postmortem": "/incidents/INC-1/postmortem",
        "jobs": "/jobs",
        "job": job,
        "finding": finding,
        "pipelines": "/pipelines",
        "pipeline": "/pipelines?of=sales",
        "no-logs": "/logs",
        "actions": "/actions",
        "settings": "/settings",
        "search": "/search?q=ship",
        "help": "/help",
    }


LOOKS = [(DESKTOP, "light"), (PHONE, "dark"), *([(PHONE, "light"), (DESKTOP, "dark")] if KEPT else [])]


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_is_calm_accessible_and_fits(
    browser: "Browser", estate: Served, width: int, scheme: Literal["light", "dark"]
) -> None:
    with looked_at(browser, estate.link, width=width, scheme=scheme) as view:
        view.page.add_init_script(WATCHED)
        pages = pages_of(estate, view)
        few = {"tonight", "incident-slow"}
        if width != PHONE:
            few |= {"pipelines", "actions", "settings", "jobs", "job"}
        for name, path in pages.items():
            view.page.goto(estate.url + path)
            view.page.wait_for_selector("body[data-live]")
            sound(view)
            picture(view, f"{name}-{width}-{scheme}")
            if KEPT or name in few:
                assert serious(view) == [], path


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An estate whose components write logs."""
    with ThreadPoolExecutor(1) as elsewhere:  # a browser's driver keeps a loop in this thread
        told = elsewhere.submit(lambda: talk(tmp_path_factory.mktemp("talking"))).result()
    with serving(told.settings, **told.ways) as site:
        yield site


@pytest.mark.parametrize(("width", "scheme"), LOOKS if KEPT else [(PHONE, "light")])
def test_logs_are_told_new_and_surging_first_and_found(
    browser: "Browser", talking: Served, width: int, scheme: Literal["light", "dark"]
) -> None:
    with looked_at(browser, talking.link, width=width, scheme=scheme) as view:
        page = view.page
        page.add_init_script(WATCHED)

        def look(path: str, name: str) -> None:
            page.goto(talking.url + path)
            page.wait_for_selector("body[data-live]")
            sound(view)
            picture(view, f"{name}-{width}-{scheme}")

        look("/logs", "logs")
        assert serious(view) == []
        marks = [text.split()[:2] for text in page.locator("ul.said .sev").all_inner_texts()]
        assert marks[:3] == [["●", "new"], ["●", "surging"], ["○"]]
        assert page.locator("ul.said svg.spark").count() == len(marks)
        assert "<b>in</b> the response" in page.inner_text("ul.said li:first-child code")
        look("/logs?q=append+slow", "logs-found")
        assert page.locator("ul.said > li").count() == 1
        look("/logs?q=nobody+says+this", "logs-none")
        assert "Nothing that was said has these words" in page.inner_text("#others")
        page.click("nav a:has-text('Logs')")
        page.click("ul.said a:has-text('extractor')")
        page.wait_for_selector("#said li")
        look("/jobs/component/extractor", "component")
        assert page.locator("#said li").count() == 4
        assert page.locator("#incidents a.row").count() == 1
        look("/incidents/INC-1", "incident-logs")
        assert serious(view) == []
        assert page.locator("#graph").count() == 1
        page.click(f"#graph {'.narrow .tree' if width == PHONE else 'svg'} a:has-text('marts')")
        look("/search?q=append", "search-logs")
        page.click("#list a:has-text('Look for it in the logs')")
        page.wait_for_selector("ul.said > li")
        look("/jobs?on=databricks", "jobs-few")
        page.click("#list a.row")
        page.wait_for_selector("#said li:has-text('slow append')")  # of the component that feeds it
        picture(view, f"job-logs-{width}-{scheme}")
        look("/", "tonight-logs")


def test_without_script_everything_can_be_read(browser: "Browser", estate: Served) -> None:
    with looked_at(browser, f"{estate.url}/incidents/INC-1", scripts=False) as view:
        page = view.page
        assert page.locator("#evidence .fact").count() >= 1
        for label in ("Tonight", "Incidents", "Jobs", "Pipelines", "Logs", "Actions", "Settings"):
            page.click(f"nav a:has-text('{label}')")
            assert page.locator("nav a[aria-current]").inner_text() == label
            assert len(page.inner_text("main")) > 40
        page.goto(f"{estate.url}/pipelines")
        assert page.locator(".graph svg").count() == 1
        page.fill("nav input[type=search]", "shipments")
        page.keyboard.press("Enter")
        page.click("#list a.row >> nth=0")
        assert page.locator("#evidence .fact").count() >= 1
        assert view.complaints == []


def test_on_paper_there_is_what_is_to_be_read_and_nothing_to_press(
    browser: "Browser", estate: Served
) -> None:
    with looked_at(browser, estate.link, width=794) as view:  # A4 at 96 pixels an inch
        view.page.emulate_media(media="print", color_scheme="dark")
        for path in ("/", "/incidents/INC-1", "/actions"):
            view.page.goto(estate.url + path)
            shown = "e => [...e].filter(one => one.checkVisibility()).length"
            assert view.page.eval_on_selector_all("nav, button, .button, input", shown) == 0, path
            assert view.overflow == 0, view.too_wide
            paper = view.page.evaluate("() => getComputedStyle(document.body).color")
            assert paper == "rgb(0, 0, 0)"
        assert view.page.pdf()[:5] == b"%PDF-"


def test_the_keyboard_leads_everywhere(browser: "Browser", estate: Served) -> None:
    with looked_at(browser, estate.url) as view:
        page = view.page
        page.keyboard.press("/")
        page.keyboard.type("shipments")
        page.keyboard.press("Enter")
        page.wait_for_selector("#list a.row")
        page.locator("body").focus()
        page.keyboard.press("Escape")
        for key in ("j", "j", "k"):
            page.keyboard.press(key)
        page.keyboard.press("Enter")
        page.wait_for_url("**/incidents/INC-*")
        for path in ("jobs", "pipelines", "logs", "actions", "settings"):
            page.keyboard.press("g")
            page.keyboard.press(path[0])
            page.wait_for_url(f"**/{path}")
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.className") == "skip"
        page.keyboard.press("?")
        page.wait_for_url("**/help")
        sound(view)


def test_times_are_in_the_readers_zone(browser: "Browser", estate: Served) -> None:
    context = browser.new_context(timezone_id="Asia/Tokyo")
    page = context.new_page()
    page.goto(f"{estate.url}/incidents/INC-1")
    page.wait_for_selector("#foot:has-text('Asia/Tokyo')")
    context.close()


def test_what_is_hostile_is_text_on_every_page(browser: "Browser", tmp_path: Path) -> None:
    def told() -> Desk:
        with Desk(tmp_path) as desk:
            fill(desk, HOSTILE)
        return desk

    with ThreadPoolExecutor(1) as elsewhere:  # a browser's driver keeps a loop in this thread
        desk = elsewhere.submit(told).result()
    with (
        serving(desk.app.settings, clock=desk.clock) as site,
        looked_at(browser, site.link, width=PHONE) as view,
    ):
        view.page.add_init_script(WATCHED)
        paths = ["/", "/incidents", "/incidents/INC-1", "/incidents/INC-1/postmortem", "/jobs"]
        paths += ["/jobs/airbyte/orders", "/pipelines", "/logs", "/actions", "/settings", "/search?q=alert"]
        for path in paths:
            view.page.goto(site.url + path)
            view.page.wait_for_selector("body[data-live]")
            sound(view)
            assert view.page.locator("main img, main script, main style").count() == 0, path
            assert "javascript:" not in str(
                view.page.evaluate(
                    "() => [...document.querySelectorAll('a')].map(a => a.getAttribute('href'))"
                )
            )
