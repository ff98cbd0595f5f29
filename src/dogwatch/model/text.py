"""Hostile text made fit to stand in a sentence of ours."""

import re

_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]+"
)
"""Control, zero-width, direction and tag characters, which could move, hide or reorder what a person reads,
and halves of characters, which nothing can print or store."""


def one_line(text: str, limit: int = 240) -> str:
    """The text on one line without invisible characters, at most ``limit`` characters long."""
    flat = " ".join(_UNFIT.sub(" ", text[: limit * 8]).split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def bounded(text: str, limit: int = 4_000) -> str:
    """The text, or its beginning and how much was left out."""
    return text if len(text) <= limit else f"{text[:limit]} … ({len(text) - limit:,} characters more)"


def plural(number: int, noun: str, many: str = "") -> str:
    """``1 job``, ``2 jobs``; ``many`` where an s does not do."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def span(seconds: float) -> str:
    """A duration as a person says it: ``48 s``, ``26 min``, ``4 h 26 min``, ``3 d 4 h``."""
    whole = round(abs(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
