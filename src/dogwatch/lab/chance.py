"""Chance that always falls the same way: every draw follows from (seed, job, slot) alone."""

import hashlib
import math
from datetime import datetime, timedelta


class Chance:
    """Numbers that look random and follow from (seed, job, slot) alone."""

    def __init__(self, seed: int, job: str, slot: datetime, copy: int = 0) -> None:
        name = f"{seed}\x1f{job}\x1f{slot.isoformat()}\x1f{copy}".encode()
        raw = hashlib.blake2b(name, digest_size=40).digest()
        self._unit = [int.from_bytes(raw[at : at + 8], "big") / 2**64 for at in range(0, 40, 8)]

    def normals(self) -> tuple[float, float]:
        """Two independent standard normal numbers (Box and Muller 1958)."""
        radius = math.sqrt(-2 * math.log(1 - self._unit[0]))
        angle = 2 * math.pi * self._unit[1]
        return radius * math.cos(angle), radius * math.sin(angle)

    def between(self, which: int, low: float, high: float) -> float:
        """One of three uniform numbers, by its index 0 to 2."""
        return low + (high - low) * self._unit[2 + which]


def milliseconds(amount: float) -> timedelta:
    """That many, at least one, in whole milliseconds."""
    return timedelta(milliseconds=max(1, round(amount)))
