"""Stack traces folded to one event: what was said, and the innermost cause.

A trace is worth one line: the message above it, and the exception at its root. Java names the root last,
after ``Caused by:``; Python names the exception of the last ``Traceback`` last.
"""

import re
from collections.abc import Sequence

_TRACEBACK = b"Traceback (most recent call last)"
_CAUSED = b"Caused by: "
_RAISED = re.compile(
    rb"(?:[A-Za-z_][\w$]*\.)*[A-Z][\w$]*(?:Error|Exception|Exit|Interrupt|Warning|Failure|Fault|Timeout)"
    rb"(?:: .*|:)?$"
)
SEPARATOR = b" | "
"""Between the message and its cause."""

_FRAMES = (b"\tat ", b"    at ", _CAUSED)
_SIGN = re.compile(rb"\n(?:\tat |    at |Caused by: |Traceback \(most recent call last\))")
_WITHIN = re.compile(rb"\s|\.\.\. \d|During handling of the above|The above exception was the direct|$")


def has_trace(block: bytes) -> bool:
    """Whether there may be a stack trace in a block of lines without headers."""
    return _SIGN.search(block) is not None or block.startswith((*_FRAMES, _TRACEBACK))


def heads(lines: Sequence[bytes]) -> list[int]:
    """Which lines begin an event where none has a header: all that are no part of the trace above them."""
    found: list[int] = []
    in_trace = in_python = False
    for number, line in enumerate(lines):
        if line.startswith(_FRAMES):
            part, in_trace = True, True
        elif line.startswith(_TRACEBACK):
            part, in_trace, in_python = in_trace, True, True
        elif in_python and _RAISED.fullmatch(line):
            part, in_python = True, False
        else:
            part = in_trace and _WITHIN.match(line) is not None
        if not part:
            in_trace = in_python = line.startswith(_TRACEBACK)
        if not part or not number:
            found.append(number)
    return found


def fold(lines: Sequence[bytes]) -> bytes:
    """One line for an event of several: the first, and the innermost cause if there is a trace."""
    first = lines[0]
    cause = _innermost(lines)
    if not cause or cause in first:
        return first
    if not first.strip() or first.startswith(_TRACEBACK):
        return cause
    return first.rstrip() + SEPARATOR + cause


def _innermost(lines: Sequence[bytes]) -> bytes:
    for line in reversed(lines):
        stripped = line.strip()
        if stripped.startswith(_CAUSED):
            return stripped[len(_CAUSED) :]
    if any(line.lstrip().startswith(_TRACEBACK) for line in lines):
        candidates = [line.strip() for line in reversed(lines)]
    else:
        candidates = [line.strip() for line in lines[1:]]
    return next((line for line in candidates if _RAISED.fullmatch(line)), b"")
