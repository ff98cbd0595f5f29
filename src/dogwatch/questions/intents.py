"""What a question wants to know, and about which time, by the words in it."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from importlib import resources
from zoneinfo import ZoneInfo

_LONGEST = 400


class Intent(StrEnum):
    """What can be asked."""

    broken = "broken"
    late = "late"
    why = "why"
    hit = "hit"
    when = "when"
    ran = "ran"
    coming = "coming"
    changed = "changed"
    night = "night"
    actions = "actions"
    decided = "decided"
    again = "again"
    depends = "depends"
    blind = "blind"
    help = "help"


EXAMPLES: dict[Intent, str] = {
    Intent.broken: "what is broken?",
    Intent.late: "what is late or slow?",
    Intent.why: "why was yesterday's {name} late?",
    Intent.hit: "who is hit by {name}?",
    Intent.when: "when will {name} run?",
    Intent.ran: "did {name} run today?",
    Intent.coming: "what runs next?",
    Intent.changed: "what changed since yesterday?",
    Intent.night: "what did you do last night?",
    Intent.actions: "what waits for me?",
    Intent.decided: "who decided what this week?",
    Intent.again: "has this happened before to {name}?",
    Intent.depends: "what does {name} depend on?",
    Intent.blind: "what can you not see?",
}
"""One question for each, as a person may type it."""

_RULES = tuple(
    (Intent(intent), re.compile(rule.strip(), re.IGNORECASE))
    for line in (resources.files("dogwatch.questions") / "rules.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
    for intent, _, rule in (line.partition(" "),)
)
_ABOUT_ONE = {
    Intent.broken: Intent.ran,
    Intent.late: Intent.why,
    Intent.coming: Intent.when,
    Intent.night: Intent.why,
}
"""What some questions mean once they name something."""
_NEEDS_ONE = {
    Intent.why: Intent.broken,
    Intent.when: Intent.coming,
    Intent.ran: Intent.broken,
    Intent.hit: Intent.broken,
}
"""And what others mean if they name nothing."""

_SPAN = re.compile(r"\b(?:last|past|previous|within)\s+(\d{1,4})?\s*(hour|day|week|month)s?\b", re.IGNORECASE)
_UNITS = {"hour": 1, "day": 24, "week": 168, "month": 720}
_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_EVENING = time(18)


@dataclass(frozen=True, slots=True)
class Window:
    """A time that is asked about."""

    since: datetime
    until: datetime
    words: str
    """As the question has it: ``yesterday``."""


def intent_of(question: str, *, about: bool) -> Intent | None:
    """What is wanted; ``about`` says whether the question names something. None: not understood."""
    text = question[:_LONGEST].replace("’", "'")
    found = next((intent for intent, rule in _RULES if rule.search(text)), None)
    if about:
        return Intent.ran if found is None else _ABOUT_ONE.get(found, found)
    return None if found is None else _NEEDS_ONE.get(found, found)


def window_of(question: str, zone: ZoneInfo, now: datetime) -> Window | None:
    """The time that a question names in the reader's zone; None if it names none."""
    text, local = question[:_LONGEST].lower(), now.astimezone(zone)
    if (span := _SPAN.search(text)) is not None:
        hours = int(span[1] or 1) * _UNITS[span[2].lower()]
        return Window(now - timedelta(hours=hours), now, span[0])
    if (told := _DATE.search(text)) is not None:
        try:
            day = datetime(int(told[1]), int(told[2]), int(told[3]), tzinfo=zone)
        except ValueError:
            return None
        return _cut(day, day + timedelta(days=1), now, f"on {told[0]}", text)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if re.search(r"\b(last night|over ?night|tonight|while (i|we) slept)\b", text):
        evening = datetime.combine(local.date() - timedelta(days=1), _EVENING, zone)
        return Window(evening, now, "last night")
    if "yesterday" in text:
        return _cut(midnight - timedelta(days=1), midnight, now, "yesterday", text)
    if re.search(r"\b(today|this morning)\b", text):
        return Window(midnight, now, "today")
    if "this week" in text:
        return Window(midnight - timedelta(days=local.weekday()), now, "this week")
    for number, name in enumerate(_DAYS):
        if re.search(rf"\b{name}\b", text):
            day = midnight - timedelta(days=(local.weekday() - number) % 7)
            return _cut(day, day + timedelta(days=1), now, f"on {name.capitalize()}", text)
    return None


def _cut(start: datetime, end: datetime, now: datetime, words: str, text: str) -> Window:
    """A day; with ``since`` everything after its beginning."""
    if re.search(r"\bsince\b", text):
        return Window(start, now, f"since {words.removeprefix('on ')}")
    return Window(start, min(end, now), words)
