"""What may stand in a sentence of an agent's: is it fit for people, and what in it do its sources lack? Pure.

Nothing is understood here. Numbers, names, quotations and words are looked for in what is cited, and what is
never said to people, whatever it is about, is found by its form.
"""

import calendar
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources

from dogwatch.agents.data import Scrub, unharmed
from dogwatch.logs.redact import redact
from dogwatch.model import CauseClass, Confidence
from dogwatch.model.text import one_line

LETTERS = 4
STEM = 5

_MARKUP = re.compile(
    r"[<>`|]|\[[^\]]*\]\s*\(|!\[|\*\*|__|https?:|www\.|\$\{|\{\{|\{%|(?<!\w)[@#]\w|&\w+;|javascript:|data:text",
    re.IGNORECASE,
)
_COMMAND = re.compile(
    r"\brm\s+-|\bcurl\b|\bwget\b|\bsudo\b|\bchmod\b|\bchown\b|\bmkfs|\bdd\s+if=|\bbash\b|\bpowershell\b|\beval\b"
    r"|\bdrop\s+(?:table|database|schema|user)|\btruncate\s+table|\bdelete\s+from|\bgrant\s+all|\balter\s+user"
    r"|\bkubectl\b|\bnc\s+-|&&|\$\(|;\s*\w+\s+-",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:send|reply|paste|reveal|disclose|forward|e-?mail|share|submit|type)\b.{0,60}"
    r"\b(?:passwords?|tokens?|secrets?|credentials?|keys?|cookies?|environment variables)\b"
    r"|\byour\s+(?:\w+\s+){0,2}(?:passwords?|tokens?|secrets?|credentials?|keys?)\b",
    re.IGNORECASE,
)
_OVERREACH = re.compile(
    r"\b(?:approved?|consent)\b|\b(?:disable|turn off|switch off|bypass|skip|ignore|loosen|remove|lift)\b"
    r".{0,40}\b(?:polic(?:y|ies)|safeguards?|limits?|budgets?|audit|approvals?|checks?|halt|mask\w*|"
    r"instructions?|rules?)\b|\bsystem prompt\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w])\d(?:[\d.,:]*\d)?(?:[eE][+-]?\d+)?")
_NAME = re.compile(r"[A-Za-z0-9][\w-]*(?:[_./][\w-]+)+|\b[A-Za-z]+\d[\w-]*|\b[A-Z]{3,}\b|\b[a-z]+[A-Z]\w+")
_QUOTED = re.compile(r"[\"'“”‘’«»]([^\"'“”‘’«»]{2,200})[\"'“”‘’«»]")
_CAPITAL = re.compile(r"(?<=[a-z,;:] )[A-Z][a-z]{2,}")
WORD = re.compile(r"[^\W\d_]+")
_COUNTS = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12", "fifteen": "15", "twenty": "20", "thirty": "30",
    "forty": "40", "fifty": "50", "sixty": "60", "ninety": "90",
}  # fmt: skip
_MANY = frozenset(
    {"hundred", "hundreds", "thousand", "thousands", "million", "millions", "billion", "dozen", "dozens"}
)
_CALENDAR = frozenset(name.casefold() for name in (*calendar.day_name, *calendar.month_name) if name)
_COMMON = frozenset(
    {"UTC", "SQL", "API", "URL", "HTTP", "ETL", "CPU", "RAM", "INFO", "WARNING", "ERROR", "CRITICAL"}
)


def unfit(text: str, scrub: Scrub = unharmed) -> tuple[str, str] | None:
    """(kind, why) if a text must not reach a person, whatever it is about."""
    if one_line(text, 100_000) != " ".join(text.split()) or _MARKUP.search(text):
        return "markup", "plain text only: no markup, links, mentions or invisible characters"
    if redact(text) != text or scrub(text) != text:
        return "secret", "it holds a secret or personal data"
    if _COMMAND.search(text):
        return "command", "no commands: say in words what a person should do"
    if _ASKS.search(text):
        return "asks_secret", "nobody is asked for a secret"
    if _OVERREACH.search(text):
        return "overreach", "consent, policy and safeguards are not yours to speak of"
    return None


def numbers_missing(text: str, said: str) -> list[str]:
    """Numbers of a text that its sources do not hold."""
    known = {_value(found[0]) for found in _NUMBER.finditer(said)}
    missing: list[str] = []
    for found in _NUMBER.finditer(plain(text)):
        token = found[0]
        value = _value(token)
        if value in known or re.search(rf"(?<![\w]){re.escape(token)}(?![\w])", said):
            continue
        share = _share(value)
        if share is None or share not in known or not text[found.end() :].lstrip().startswith("%"):
            missing.append(token)
    for word in WORD.findall(plain(text)):
        if (word in _COUNTS and _COUNTS[word] not in known and word not in said) or (
            word in _MANY and word not in said
        ):
            missing.append(word)
    return missing


def _value(token: str) -> str:
    """The same number has the same text: ``1,234.50`` and ``1234.5``."""
    if ":" in token:
        return token
    bare = token.replace(",", "")
    try:
        return f"{float(bare):.10g}"
    except ValueError:
        return bare


def _share(value: str) -> str | None:
    """A percentage as the share it is."""
    try:
        return f"{float(value) / 100:.10g}"
    except ValueError:
        return None


def names_missing(text: str, said: str, names: Iterable[str]) -> list[str]:
    """Identifiers, quotations and proper names of a text that its sources do not hold."""
    allowed = " ".join(names)
    found = [match[0] for match in _NAME.finditer(text)] + [match[1] for match in _QUOTED.finditer(text)]
    found += [match[0] for match in _CAPITAL.finditer(text) if match[0].casefold() not in _CALENDAR]
    return [
        name
        for name in dict.fromkeys(found)
        if name not in _COMMON
        and plain(name) not in said
        and plain(name) not in allowed
        and plain(name).strip(" .,") not in said
    ]


def foreign_words(text: str, said: str) -> list[str]:
    """Words of a text that neither its sources hold nor reports in general use."""
    stems = {word[:STEM] for word in WORD.findall(said)} | vocabulary()
    found = [word for word in WORD.findall(plain(text)) if len(word) >= LETTERS]
    return list(dict.fromkeys(word for word in found if word[:STEM] not in stems))


@lru_cache(maxsize=1)
def vocabulary() -> frozenset[str]:
    """Stems of the words that reports may use although no evidence holds them."""
    text = (resources.files("dogwatch.agents") / "vocabulary.txt").read_text("utf-8")
    words = [word for line in text.splitlines() if not line.startswith("#") for word in line.split()]
    classes = [part for one in CauseClass for part in one.value.split("_")]
    levels = [*Confidence, "failed", "skipped", "late", "missed", "stale"]
    return frozenset(word.casefold()[:STEM] for word in (*words, *classes, *levels))


def plain(text: str) -> str:
    """For comparing: one form of every character, small letters, a blank where ISO times have letters."""
    flat = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"(?<=\d)[tz](?=[\d\s\"',.]|$)", " ", flat)
