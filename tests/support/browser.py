"""Debian's Chromium for tests of pages, driven by Playwright; nothing beyond loopback can be reached from it.

Playwright's blocking interface keeps an event loop in its thread: make what a test needs by ``asyncio.run``
(or a command of ours) before the browser is opened, or in another thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from support.node import missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

CHROMIUM = Path("/usr/bin/chromium")
PHONE, DESKTOP = 390, 1440
"""Widths in CSS pixels."""
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
_WIDER = """() => [...document.querySelectorAll('body *')]
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1
    && !e.closest('svg') && getComputedStyle(e).overflowX === 'visible')
  .slice(0, 5).map(e => `${e.tagName} ${e.className} ${Math.round(e.getBoundingClientRect().right)}`)"""


@dataclass(slots=True)
class View:
    """One page as somebody looks at it, and what it did that a quiet page does not."""

    page: "Page"
    complaints: list[str] = field(default_factory=list[str])
    """Errors and warnings of the console, uncaught errors, dialogs."""
    requests: list[str] = field(default_factory=list[str])
    """Every URL that was asked for, the page's own first."""

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than its window; 0 if nobody has to scroll sideways."""
        return int(
            self.page.evaluate(
                "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )

    @property
    def too_wide(self) -> list[str]:
        """A few elements that stick out at the right, for the message of a test that fails."""
        return [str(one) for one in self.page.evaluate(_WIDER)]


@contextmanager
def chromium(required: bool) -> Iterator["Browser"]:
    """A browser; skips the test, or fails it where real parts are required, if there is none."""
    if not CHROMIUM.exists():
        missing(f"{CHROMIUM} is not installed (Debian's package chromium)", required)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed (make real)", required)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def looked_at(
    browser: "Browser",
    url: str,
    *,
    width: int = DESKTOP,
    height: int = 900,
    scheme: Literal["light", "dark"] = "light",
    scripts: bool = True,
) -> Iterator[View]:
    """The page at ``url`` (http or file) in a window of its own; no cookies or caches are shared."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=scripts
    )
    try:
        page = context.new_page()
        view = View(page)
        page.on(
            "console",
            lambda said: view.complaints.append(said.text) if said.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: view.complaints.append(str(error)))

        def dismiss(dialog: "Dialog") -> None:
            view.complaints.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        page.on("dialog", dismiss)
        page.on("request", lambda request: view.requests.append(request.url))
        page.goto(url)
        yield view
    finally:
        context.close()
