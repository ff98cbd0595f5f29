"""The documentation, read on the page."""

import re
from pathlib import Path

import pytest

from dogwatch.manual import chapters
from dogwatch.web.manual import rendered
from support.site import Desk


def test_help_leads_to_the_documentation_and_nowhere_else(tmp_path: Path) -> None:
    with Desk(tmp_path) as desk:
        visitor = desk.client()
        links = re.findall(r'href="(/help/[^"]+)"', visitor.get("/help").text)
        assert links == ["/help/web.md", "/help/index.md"]
        assert '<h1 id="the-page-and-the-api">The page and the API</h1>' in visitor.get(links[0]).text
        listed = re.findall(r'href="(/help/[^"]+)"', visitor.get(links[1]).text)
        assert {"/help/tutorial.md", "/help/connectors/airbyte.md"} <= set(listed)
        assert [path for path in listed if visitor.get(path).status_code != 200] == []
        for path in ("../README.md", "..%2FREADME.md", "nothing.md", "%2Fetc%2Fpasswd", "generate.py"):
            assert visitor.get(f"/help/{path}").status_code == 404, path


def test_a_link_leads_to_a_page_shown_here_or_is_text() -> None:
    text = "# One\n\n[a](../b.md#c-d) [x](../../etc/passwd) [j](javascript:alert) [w](https://e.example/)\n\n"
    more = "![p](p.png)\n\n<script>x</script>\n\n[here](#one)\n"
    chapter = rendered("how/one.md", text + more, {"b.md", "how/one.md"})
    assert chapter.title == "One"
    assert re.findall(r'href="([^"]*)"', chapter.text) == [
        "/help/b.md#c-d",
        "https://e.example/",
        "/help/how/one.md#one",
    ]
    assert " x [j](javascript:alert) " in chapter.text
    assert "<img" not in chapter.text
    assert "&lt;script&gt;" in chapter.text


@pytest.mark.parametrize("called", chapters())
def test_every_link_to_a_heading_finds_it(called: str) -> None:
    pages = chapters()
    text = rendered(called, pages[called].read_text("utf-8"), pages).text
    for target, anchor in re.findall(r'href="/help/([^"#]+)#([^"]+)"', text):
        other = rendered(target, pages[target].read_text("utf-8"), pages).text
        assert f'id="{anchor}"' in other, f"{called}: {target}#{anchor}"
