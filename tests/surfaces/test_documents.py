"""The documents that follow from the code are current, and the command lines in all of them can be typed."""

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from dogwatch.cli import dogwatch

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    """The generator's table: file name -> its text."""
    return dict(runpy.run_path(str(DOCS / "generate.py"))["DOCUMENTS"])


@pytest.mark.parametrize("name", ["api.md", "cli.md", "configuration.md", "dogwatch.schema.json"])
def test_a_generated_document_is_current(documents: dict[str, Any], name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == documents[name](), "run: python docs/generate.py"


def test_every_setting_stands_in_the_configuration_page(documents: dict[str, Any]) -> None:
    from dogwatch import connectors
    from dogwatch.settings import scaffold

    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    rows = [*scaffold.general_rows()]
    for kind in connectors.names():
        rows += scaffold.connector_rows(kind)
    assert [row.variable for row in rows if f"`{row.variable}`" not in page] == []
    assert [row.variable for row in rows if not row.meaning] == []


def command_lines() -> list[str]:
    """Every line that a shell would be given: in README and docs, and by pages in the browser."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    texts = [page.read_text(encoding="utf-8").replace("\\\n", "") for page in pages]
    blocks = [block for text in texts for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]
    for template in (ROOT / "src" / "dogwatch").rglob("*.html.j2"):
        blocks += re.findall(r"<code>(dogwatch [^<{]+)</code>", template.read_text(encoding="utf-8"))
    lines = {" ".join(shlex.split(line, comments=True)) for block in blocks for line in block.splitlines()}
    return sorted(line for line in lines if line.startswith("dogwatch "))


@pytest.mark.parametrize("line", command_lines())
def test_a_command_line_of_the_documents_can_be_typed(line: str) -> None:
    words = line.split()[1:]
    context, options = click.Context(dogwatch), set[str]()
    while isinstance(context.command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        command = context.command.get_command(context, name)
        assert command is not None, name
        context = click.Context(command, parent=context, info_name=name)
        options.update(option for each in command.params for option in (*each.opts, *each.secondary_opts))
    assert {word.partition("=")[0] for word in words if word.startswith("--")} - {"--help"} <= options


def test_the_documents_show_command_lines() -> None:
    assert len(command_lines()) >= 5
