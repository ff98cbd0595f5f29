"""Error texts made comparable: words parted, and how deep inside a wrapped error each line lies.

Everything here is linear in the text, and the text is bounded first, so a hostile message costs no more than
a long one.
"""

import itertools
import re
from dataclasses import dataclass

MAX_CHARS = 64_000
"""How much of a message is read: 64,000 characters hold the longest honest stack trace."""
_HEAD, _TAIL = 16_000, 48_000
"""Of a longer text: the head says what was tried, the tail is where most put the cause."""

_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)} | {
    ord("`"): "'",
    ord('"'): "'",
    ord("’"): "'",
    ord("‘"): "'",
    ord("“"): "'",
    ord("”"): "'",
    ord("_"): " ",
    ord("\t"): " ",
    0: " ",
}
"""ASCII lower case only: one character stays one character, in any language."""
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])")
_SPACES = re.compile(r"[ \t\r\f\v_\u00a0]+")

_INNER = re.compile(
    r"\(caused by |caused by:? |nested exception is:? |root cause:? |underlying (?:error|exception|cause):? "
    r"|original (?:error|exception):? |inner exception:? |internal exception:? |previous exception:? "
    r"|(?<=[.;,\])] )cause: |\(cause: "
)
"""Words after which the rest of the line is a cause of what stands before them."""
_FRAME = re.compile(
    r"\s*(?:at [\w$.<>/]{1,300}\([^)\n]{0,200}\)"
    r"|File \"[^\"\n]{0,300}\", line \d{1,7}(?:, in [\w<>.]{1,200})?"
    r"|\.\.\. \d{1,5} more)\s*$"
)
_CHAINED = "the above exception was the direct cause of the following exception"


@dataclass(frozen=True)
class Piece:
    """A part of a message on one level of wrapping."""

    forms: tuple[str, ...]
    """Normalised by ``normal`` with and, where that differs, without parting ``CamelCase``."""
    raw: str
    """The same part as it was said."""
    depth: int
    """0 for the outermost; a cause is deeper than what it caused."""


def bounded(text: str) -> str:
    """The whole text if it is short, else its head and its tail."""
    if len(text) <= MAX_CHARS:
        return text
    return f"{text[:_HEAD]}\n{text[-_TAIL:]}"


def normal(text: str, *, part_words: bool = True) -> str:
    """Lower case, one kind of quote, single spaces, ``SNAKE_CASE`` and (if asked) ``CamelCase`` parted."""
    parted = _WORD_BREAK.sub(" ", text) if part_words else text
    return _SPACES.sub(" ", parted.translate(_LOWER)).strip()


def _forms(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((normal(text), normal(text, part_words=False))))


def pieces(text: str) -> list[Piece]:
    """Split a message into lines and wrapped causes, outermost first, stack frames left out.

    Java and Go put a cause after the words that introduce it; Python prints the first exception of a chain
    first, so all above "The above exception was the direct cause" lies deeper than what follows it.
    """
    lines = [line for line in bounded(text).splitlines() if line.strip()]
    chain = sum(_CHAINED in line.lower() for line in lines)
    depth, found = chain, list[Piece]()
    for line in lines:
        if _CHAINED in line.lower():
            depth -= 1
        elif not _FRAME.match(line):
            found.extend(_split(line, depth))
            depth = max(depth, found[-1].depth if chain == 0 else depth)
    return found


def _split(line: str, depth: int) -> list[Piece]:
    """One line, cut where it says that the rest is the cause."""
    starts = [0, *(match.start() for match in _INNER.finditer(line.lower())), len(line)]
    parts = (line[a:b] for a, b in itertools.pairwise(starts))
    first_is_inner = len(starts) > 2 and starts[1] == 0
    said = [part for part in parts if part.strip()]
    return [Piece(_forms(raw), raw, depth + i + first_is_inner) for i, raw in enumerate(said)]


def as_said(raw: str, clean: str, start: int, end: int) -> str:
    """The words of ``raw`` that became ``clean[start:end]``.

    ``normal`` only adds and removes blanks, so the k-th visible character of one is the k-th of the other.
    """
    first = sum(not c.isspace() for c in clean[:start])
    count = sum(not c.isspace() for c in clean[start:end])
    visible = [i for i, c in enumerate(raw) if not (c.isspace() or c in "_\0")]
    if not count or first + count > len(visible):
        return clean[start:end]
    return raw[visible[first] : visible[first + count - 1] + 1]
