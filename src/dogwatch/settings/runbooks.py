"""The user's own runbooks: the Markdown files of one folder."""

from pathlib import Path

from dogwatch.causes.advice import Runbook, read_runbook
from dogwatch.errors import SettingsError

_LARGEST = 200_000
"""Bytes; what is larger is no runbook."""


def runbooks_of(folder: str) -> tuple[Runbook, ...]:
    """The runbooks in a folder and below it, by name; none if no folder is set.

    Raises SettingsError that names the file.
    """
    if not folder:
        return ()
    home = Path(folder)
    if not home.is_dir():
        raise SettingsError(f"runbooks: {folder!r:.200} is no folder", "make it, or leave the key out")
    found: list[Runbook] = []
    for path in sorted(home.rglob("*.md")):
        name = path.relative_to(home).as_posix()
        try:
            if path.stat().st_size <= _LARGEST:
                found.append(read_runbook(name, path.read_text("utf-8", "replace")))
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise SettingsError(f"{path}: {error}", "see docs/causes.md, Runbooks") from None
    return tuple(found)
