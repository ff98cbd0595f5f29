"""What building the site does beyond ProperDocs: a search that needs no server."""

import json
from pathlib import Path
from typing import Any


def on_post_build(config: Any) -> None:
    """Turn the index of the search plugin into a script, which pages may load from files too."""
    folder = Path(config["site_dir"]) / "search"
    sections = json.loads((folder / "search_index.json").read_text(encoding="utf-8"))["docs"]
    pages = {one["location"]: one["title"] for one in sections if "#" not in one["location"]}
    told = [{**one, "page": pages[one["location"].partition("#")[0]]} for one in sections]
    for file in folder.iterdir():
        file.unlink()
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    (folder / "sections.js").write_text(f"window.sections={text};\n", encoding="utf-8")
