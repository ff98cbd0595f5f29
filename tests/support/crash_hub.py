"""A process that registers: opened by tests that kill it.

``crash_hub.py FOLDER URL SCHEMA NOW`` copies the store in that folder into the hub until the hub has
everything, however often it refuses; it says a line when it begins, one for each batch that was confirmed,
and one when it ends. Its clock begins at ``NOW`` (ISO) and stands still.
"""

import sys
from datetime import datetime
from pathlib import Path

from support.hubs import InPostgres, Watch


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(folder: str, url: str, schema: str, now: str) -> None:
    """Register everything."""
    watch = Watch(Path(folder), InPostgres(url, schema), datetime.fromisoformat(now))
    _say("begins")
    while watch.again(progress=lambda part, rows: _say(f"{part} {rows}")).state != "whole":
        pass
    _say("ends")


if __name__ == "__main__":
    main(*sys.argv[1:5])
