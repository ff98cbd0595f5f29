"""Folders in which a new or changed file is an event."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from dogwatch.model import content_id
from dogwatch.model.call import Call
from dogwatch.model.text import one_line

_MOST = 100_000
"""Entries of one folder that are looked at."""


class Folders:
    """Remembers what it saw; what it sees first is no event, since a watch begins with a round anyway."""

    def __init__(self, home: Path, wanted: Mapping[str, Sequence[str]]) -> None:
        """``wanted``: connectors by folder; a relative one begins at ``home``."""
        self._wanted = {home / folder: tuple(names) for folder, names in wanted.items()}
        self._seen: dict[Path, str] = {}

    def look(self, now: datetime) -> list[Call]:
        """A call for each folder in which something is new or changed."""
        calls: list[Call] = []
        for folder, names in self._wanted.items():
            mark = _mark(folder)
            before = self._seen.get(folder)
            self._seen[folder] = mark
            if before is not None and mark != before:
                calls.append(
                    Call(
                        key=content_id(["folder", str(folder), mark]),
                        hook="folder",
                        received_at=now,
                        touches=names,
                        says=one_line(f"new files in {folder}", 200),
                    )
                )
        return calls


def _mark(folder: Path) -> str:
    """Another text whenever a file comes, grows or is replaced; files that go are no event by themselves."""
    told = hashlib.sha256()
    try:
        with os.scandir(folder) as entries:
            rows: list[str] = []
            for entry in entries:
                try:
                    if len(rows) < _MOST and entry.is_file():
                        state = entry.stat()
                        rows.append(f"{entry.name}\0{state.st_size}\0{state.st_mtime_ns}")
                except OSError:
                    continue
    except OSError:
        return "unreadable"
    for row in sorted(rows):
        told.update(row.encode("utf-8", "surrogateescape") + b"\n")
    return told.hexdigest()
