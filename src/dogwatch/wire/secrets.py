"""Keeps our credentials out of everything we read, raise, log or store."""

import base64
import json
from urllib.parse import quote

_SHORTEST = 6
"""Shorter values would blank out ordinary words; no platform issues credentials this short."""

MASK = "***"


class Secrets:
    """The credential values in use, in every spelling in which they might come back to us."""

    def __init__(self) -> None:
        self._spellings: list[str] = []
        self._encoded: list[bytes] = []

    def add(self, value: str) -> None:
        """Remember a credential: plain, URL-quoted, JSON-escaped and in base64."""
        if len(value) < _SHORTEST:
            return
        raw = value.encode()
        spellings = {
            value,
            quote(value, safe=""),
            json.dumps(value)[1:-1],
            base64.b64encode(raw).decode(),
            base64.urlsafe_b64encode(raw).decode().rstrip("="),
        }
        merged = spellings.union(self._spellings)
        self._spellings = sorted(merged, key=len, reverse=True)
        self._encoded = [spelling.encode() for spelling in self._spellings]

    def scrub(self, text: str) -> str:
        """The text with every known credential masked."""
        for spelling in self._spellings:
            if spelling in text:
                text = text.replace(spelling, MASK)
        return text

    def scrub_bytes(self, body: bytes) -> bytes:
        """The body with every known credential masked; platforms do echo what they were sent."""
        for spelling in self._encoded:
            if spelling in body:
                body = body.replace(spelling, MASK.encode())
        return body

    def __repr__(self) -> str:
        return f"Secrets({len(self._spellings)} spellings)"
