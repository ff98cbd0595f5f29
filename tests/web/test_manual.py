"""The documentation, read on the page."""

import re
from pathlib import Path

from support.site import Desk


def test_help_leads_to_the_documentation_and_nowhere_else(tmp_path: Path) -> None:
    with Desk(tmp_path) as desk:
        visitor = desk.client()
        links = re.findall(r'href="(/help/[^"]+)"', visitor.get("/help").text)
        assert links == ["/help/web.md", "/help/index.md"]
        assert "# The page" in visitor.get(links[0]).text
        listed = re.findall(r'href="(/help/[^"]+)"', visitor.get(links[1]).text)
        assert {"/help/tutorial.md", "/help/connectors/airbyte.md"} <= set(listed)
        assert [path for path in listed if visitor.get(path).status_code != 200] == []
        for path in ("../README.md", "..%2FREADME.md", "nothing.md", "%2Fetc%2Fpasswd", "generate.py"):
            assert visitor.get(f"/help/{path}").status_code == 404, path
