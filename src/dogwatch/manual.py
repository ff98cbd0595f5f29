"""Where the documentation is: beside this checkout, or where it was installed."""

import sys
from collections.abc import Mapping
from pathlib import Path


def documents() -> Path:
    """The folder with the documentation."""
    checkout = Path(__file__).parents[2] / "docs"
    return checkout if (checkout / "index.md").exists() else Path(sys.prefix) / "share" / "doc" / "dogwatch"


def chapters() -> Mapping[str, Path]:
    """Its pages by their path in it, such as ``how-to/blind.md``; none if it was not installed."""
    folder = documents()
    found = sorted(folder.rglob("*.md"), key=lambda page: (len(page.relative_to(folder).parts), page))
    return {page.relative_to(folder).as_posix(): page for page in found}
