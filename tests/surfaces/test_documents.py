"""The documents that follow from the code are current."""

import runpy
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    """The generator's table: file name -> its text."""
    return dict(runpy.run_path(str(DOCS / "generate.py"))["DOCUMENTS"])


@pytest.mark.parametrize("name", ["cli.md", "configuration.md", "dogwatch.schema.json"])
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
