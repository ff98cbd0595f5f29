"""One line on stderr that says what is being read, and is gone when the answer comes."""

import os
import shutil
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dogwatch.app import Step

_ERASE = "\r\x1b[2K"


class ProgressLine:
    """Callable as the round's progress. Silent unless stderr is a terminal that can erase a line."""

    def __init__(self, instances: Iterable[str]) -> None:
        self._states = dict.fromkeys(instances, "waiting")
        self._shown = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def __enter__(self) -> "ProgressLine":
        self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Take the line away until the next step."""
        if self._shown:
            sys.stderr.write(_ERASE)
            sys.stderr.flush()

    def __call__(self, step: "Step") -> None:
        """Take note of one step."""
        runs = f"{step.runs:,} runs"
        said = {
            "jobs": "asking for jobs",
            "runs": f"reading, {runs}",
            "read": f"{runs} read",
            "blind": "not readable",
        }.get(step.stage, step.stage)
        self.note(step.instance, said)

    def note(self, name: str, state: str) -> None:
        """Show what is being done about something."""
        self._states[name] = state
        self._draw()

    def _draw(self) -> None:
        if not self._shown:
            return
        line = " · ".join(f"{instance}: {state}" for instance, state in self._states.items())
        width = shutil.get_terminal_size().columns
        sys.stderr.write(_ERASE + (line if len(line) < width else line[: width - 2] + "…"))
        sys.stderr.flush()
