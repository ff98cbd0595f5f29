"""Every page of the documentation can be reached, and every link of it leads somewhere.
The site itself is built in tests/real/test_site.py."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def navigation(entry: Any) -> Iterator[str]:
    """The files that a part of the navigation names."""
    if isinstance(entry, str):
        yield entry
    else:
        for inner in entry.values() if isinstance(entry, dict) else entry:
            yield from navigation(inner)


def prose(page: Path) -> str:
    """A page without what it quotes."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


@cache
def anchors(page: Path) -> frozenset[str]:
    """What its headings are called in addresses, as Python-Markdown and GitHub make it."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = set()
    for heading in re.findall(r"^#+ +(.*)$", text, re.MULTILINE):
        plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
        found.add(re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower()))
    return frozenset(found)


def astray(page: Path) -> Iterator[str]:
    """Its links that lead nowhere."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.is_file() or (anchor and anchor not in anchors(file)):
            yield f"{page.relative_to(ROOT)}: {target}"


def test_every_page_stands_in_the_navigation_once() -> None:
    config = YAML(typ="safe", pure=True).load(ROOT / "properdocs.yml")
    named = list(navigation(config["nav"]))
    assert sorted(named) == sorted(str(page.relative_to(DOCS)) for page in PAGES)


def test_links_lead_to_pages_and_headings_that_exist() -> None:
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "AGENTS.md", *PAGES]
    assert [one for page in pages for one in astray(page)] == []


def test_every_picture_is_shown() -> None:
    told = "".join(prose(page) for page in PAGES)
    assert [file.name for file in (DOCS / "pictures").iterdir() if f"pictures/{file.name})" not in told] == []
