"""The documentation as pages of the site: its Markdown as HTML, with links that lead somewhere here."""

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


class Chapter(NamedTuple):
    """One page of the documentation, ready to be shown."""

    title: str
    text: Markup


def rendered(called: str, text: str, known: Collection[str]) -> Chapter:
    """The page ``called`` (its path in the documentation) from its Markdown; ``known`` are all paths."""
    markdown = _markdown()
    tokens = markdown.parse(text)
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _anchor(tokens[at + 1].content))
        if token.children:
            token.children = list(_shown(token.children, called, known))
    shown = markdown.renderer.render(tokens, markdown.options, {})
    return Chapter(title_of(text), Markup(shown))  # noqa: S704  # markdown-it escapes what is HTML in the text


def title_of(text: str) -> str:
    """The first heading."""
    return text.partition("\n")[0].lstrip("# ")


def titles(pages: Mapping[str, Path]) -> dict[str, str]:
    """The titles of pages by their path."""
    found: dict[str, str] = {}
    for called, page in pages.items():
        with page.open(encoding="utf-8") as lines:
            found[called] = title_of(lines.readline())
    return found


@cache
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # rich brings it; most commands never need it

    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _shown(children: "list[Token]", called: str, known: Collection[str]) -> "Iterator[Token]":
    """Without pictures, which show these very pages, and without links to what is not shown here."""
    dropped = False
    for token in children:
        if token.type == "image":
            continue
        if token.type == "link_open":
            told = str(token.attrGet("href") or "")
            href = told if told.startswith("https://") else _local(told, called, known)
            dropped = href is None
            token.attrSet("href", href or "")
        if token.type in ("link_open", "link_close") and dropped:
            continue
        yield token


def _local(told: str, called: str, known: Collection[str]) -> str | None:
    """Where a link of that page leads to on this site; None if nowhere."""
    path, hash_, anchor = told.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(called), path)) if path else called
    return f"/help/{quote(target)}{hash_}{anchor}" if target in known else None


def _anchor(heading: str) -> str:
    """As those who write links to headings expect it."""
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")
