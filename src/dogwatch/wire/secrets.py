"""Keeps our credentials out of everything we read, raise, log or store."""

import base64
import html
import json
import re
from collections import deque
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

_SHORTEST = 6
"""Shorter values would blank out parts of ordinary words: they are hidden where they stand alone, and in what
we say only, as a platform's data may well hold such a word by chance. No platform issues any so short."""

_PASSING = 64
"""So many bought tokens are remembered; older ones ended long ago."""

MASK = "***"


class Secrets:
    """The credential values in use, in every spelling in which they might come back to us."""

    def __init__(self) -> None:
        self._lasting: dict[str, frozenset[str]] = {}
        self._passing: deque[tuple[str, frozenset[str]]] = deque(maxlen=_PASSING)
        self._spellings: list[str] = []
        self._short: re.Pattern[str] | None = None
        self._encoded: list[bytes] = []

    def add(self, value: str, *, passing: bool = False) -> None:
        """Remember a credential; a ``passing`` one (a bought token) gives way to newer ones in time.

        Of a value of several lines (a private key) each line is remembered too.
        """
        if self.knows(value):
            return
        spellings = frozenset(
            spelling for part in _parts(value) for spelling in _spellings(part) if len(spelling) >= _SHORTEST
        )
        if passing:
            self._passing.append((value, spellings))
        else:
            self._lasting[value] = spellings
        merged = set[str]().union(*self._lasting.values(), *(kept for _, kept in self._passing))
        self._spellings = sorted(merged, key=lambda spelling: (-len(spelling), spelling))
        self._encoded = [spelling.encode("utf-8", "surrogatepass") for spelling in self._spellings]
        short = {part for known in self._lasting for part in _parts(known) if 0 < len(part) < _SHORTEST}
        if short:
            self._short = re.compile(
                rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(short, key=len, reverse=True)))})(?!\w)"
            )

    def knows(self, value: str) -> bool:
        """True if exactly this value was added."""
        return value in self._lasting or any(value == kept for kept, _ in self._passing)

    def tell(self, text: str) -> bool:
        """True if the text gives one of them away."""
        return any(spelling in text for spelling in self._spellings) or (
            self._short is not None and self._short.search(text) is not None
        )

    def scrub(self, text: str) -> str:
        """The text with every known credential masked."""
        for spelling in self._spellings:
            if spelling in text:
                text = text.replace(spelling, MASK)
        return text if self._short is None else self._short.sub(MASK, text)

    def scrub_bytes(self, body: bytes) -> bytes:
        """The body with every known credential masked; platforms do echo what they were sent."""
        for spelling in self._encoded:
            if spelling in body:
                body = body.replace(spelling, MASK.encode())
        return body

    def __repr__(self) -> str:
        return f"Secrets({len(self._lasting) + len(self._passing)} hidden)"


def _parts(value: str) -> Iterator[str]:
    """The value, without the white space that people paste along, and its lines if there are several."""
    stripped = value.strip()
    yield stripped
    lines = stripped.splitlines()
    if len(lines) > 1:
        yield from (line.strip() for line in lines if not line.startswith("-----"))


def _spellings(value: str) -> Iterator[str]:
    """The ways in which JSON writers, URL writers, HTML, Python and Base64 spell a text.

    Most credentials are letters and digits, for which nearly all of them are the same.
    """
    if len(value) < _SHORTEST:
        return
    yield value
    for inside in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield inside
        yield inside.replace("/", "\\/")
        yield _escaped(inside, "<>&", "04x")  # Go
        yield _escaped(inside, "<>&'+`", "04X")  # .NET
        yield json.dumps(inside)[1:-1]  # JSON within JSON
    yield "".join(f"\\u{ord(char):04x}" for char in value)
    yield repr(value)[1:-1]
    yield html.escape(value)
    yield html.escape(value, quote=False)
    raw = value.encode("utf-8", "surrogatepass")
    for quoted in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    yield from _in_base64(raw)


def _escaped(text: str, characters: str, form: str) -> str:
    return "".join(f"\\u{ord(char):{form}}" if char in characters else char for char in text)


def _in_base64(raw: bytes) -> Iterator[str]:
    """What Base64 (RFC 4648 §4 and §5) makes of ``raw`` wherever it stands in a longer text.

    It encodes three bytes as four characters, so there are three ways to begin; the characters at the
    edges also depend on the neighbours and are left out.
    """
    for offset, mixed in ((0, 0), (1, 2), (2, 3)):
        padded = bytes(offset) + raw
        whole = len(padded) * 8 // 6
        yield base64.b64encode(padded).decode()[mixed:whole]
        yield base64.urlsafe_b64encode(padded).decode()[mixed:whole]
