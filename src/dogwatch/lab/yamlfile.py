"""Reads the lab's YAML files strictly: every complaint names file, line, key and what would be right.

YAML 1.2 (https://yaml.org/spec/1.2.2/), so ``on``, ``off``, ``yes`` and ``no`` are words. Values are read
from the node tree, not from constructed objects, because only nodes know their line.
"""

import difflib
import functools
import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from dogwatch.errors import LabError

_DURATION = re.compile(r"(-?)((?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+)")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_RATE = re.compile(r"(\d+(?:\.\d+)?)/([smhd])")
_TAG = "tag:yaml.org,2002:"
_LARGEST = 4 * 1024 * 1024
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a file and the place where it stands. The readers raise LabError."""

    file: str
    key: str
    """Where it stands, e.g. ``faults[0].at``; empty for the whole file."""
    line: int
    """Counted from 1."""
    node: Any
    """The parser's own node, which is untyped: ``id`` is scalar, mapping or sequence."""

    def wrong(self, why: str, hint: str = "") -> LabError:
        """The error that says what is wrong with this value."""
        where = f"{self.file}:{self.line}: "
        return LabError(where + (f"{self.key}: " if self.key else "") + why, hint)

    @property
    def absent(self) -> bool:
        """True for ``~``, ``null`` and nothing at all."""
        return self._kind == "null"

    @property
    def numeric(self) -> bool:
        """True for a plain number."""
        return self._kind in {"int", "float"}

    @property
    def _kind(self) -> str:
        """The YAML type without its prefix: str, int, float, bool, null, timestamp, map, seq …"""
        return str(self.node.tag).removeprefix(_TAG)

    @property
    def _raw(self) -> str:
        return str(self.node.value) if self.node.id == "scalar" else ""

    def _expected(self, what: str) -> LabError:
        found = {"map": "a mapping", "seq": "a list", "null": "nothing"}.get(self._kind, f"{self._raw!r:.60}")
        return self.wrong(f"expected {what}, found {found}")

    def mapping(self, allowed: Collection[str] | None = None) -> dict[str, "Entry"]:
        """The values by their words; each has to be allowed (any is, if None) and to stand there once."""
        if self.node.id != "mapping":
            raise self._expected("a mapping")
        found: dict[str, Entry] = {}
        for key_node, node in self.node.value:
            line = _line(key_node)
            if key_node.id != "scalar":
                raise Entry(self.file, self.key, line, key_node).wrong("a key has to be a word")
            word = str(key_node.value)
            entry = Entry(self.file, f"{self.key}.{word}" if self.key else word, line, node)
            if allowed is not None and word not in allowed:
                raise entry.wrong("unknown word" + did_you_mean(word, allowed))
            if word in found:
                raise entry.wrong(f"stands twice, first in line {found[word].line}")
            found[word] = entry
        return found

    def words(self, allowed: Collection[str], required: Iterable[str] = ()) -> dict[str, "Entry"]:
        """Like ``mapping`` for a fixed vocabulary; a word that stands for nothing counts as left out."""
        found = {word: entry for word, entry in self.mapping(allowed).items() if not entry.absent}
        for word in required:
            if word not in found:
                raise self.wrong(f"lacks {word!r}")
        return found

    def items(self) -> list["Entry"]:
        """The values of a list."""
        if self.node.id != "sequence":
            raise self._expected("a list")
        return [
            Entry(self.file, f"{self.key}[{index}]", _line(node), node)
            for index, node in enumerate(self.node.value)
        ]

    def listing(self) -> list["Entry"]:
        """The values of a list, or the one value that stands in place of a list."""
        return self.items() if self.node.id == "sequence" else [self]

    def text(self) -> str:
        """Words. A plain number or date is taken as written; true, false and nothing are refused."""
        if self._kind not in {"str", "int", "float", "timestamp"}:
            raise self._expected("text (put it in quotes if it is meant as text)")
        if not self._raw.strip():
            raise self._expected("text")
        return self._raw

    def choice(self, allowed: Collection[str]) -> str:
        """One of the allowed words."""
        word = self.text()
        if word not in allowed:
            raise self.wrong(f"unknown word {word!r:.60}" + did_you_mean(word, allowed))
        return word

    def flag(self) -> bool:
        """``true`` or ``false``."""
        if self._kind != "bool":
            raise self._expected("true or false")
        return self._raw.lower() == "true"

    def number(self, least: float = -math.inf, most: float = math.inf) -> float:
        """A finite number within bounds."""
        try:
            value = float(self._raw.replace("_", "")) if self.numeric else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self._expected("a number")
        if not least <= value <= most:
            raise self.wrong(f"{value:g} is outside {least:g} to {most:g}")
        return value

    def integer(self, least: int = 0, most: int = 2**63 - 1) -> int:
        """A whole number within bounds."""
        if self._kind != "int" or not re.fullmatch(r"[-+]?[\d_]+", self._raw):
            raise self._expected("a whole number")
        value = int(self._raw.replace("_", ""))
        if not least <= value <= most:
            raise self.wrong(f"{value} is outside {least} to {most}")
        return value

    def time(self) -> datetime:
        """An instant, as aware UTC. A time without a zone is refused."""
        try:
            moment = datetime.fromisoformat(self._raw)
        except ValueError:
            raise self._expected("a time such as 2026-03-03T06:30:00Z") from None
        if moment.tzinfo is None:
            raise self.wrong(f"{self._raw} has no zone", "write it with Z or an offset: 2026-03-03T06:30:00Z")
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise self._expected("a time between the years 1 and 9999") from None

    def date(self) -> date:
        """A day."""
        try:
            return date.fromisoformat(self._raw)
        except ValueError:
            raise self._expected("a date such as 2026-12-25") from None

    def duration(self, *, signed: bool = False) -> timedelta:
        """A length of time: ``90s``, ``12m``, ``1h30m``, ``2d``; negative only if ``signed``."""
        match = _DURATION.fullmatch(self._raw) if self._kind == "str" else None
        if match is None or (match[1] and not signed):
            raise self._expected("a duration such as 90s, 12m, 1h30m or 2d")
        seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(match[2]))
        if seconds > 400 * 86400:
            raise self.wrong(f"{self._raw} is longer than 400d")
        if seconds == 0 and not signed:
            raise self.wrong("a duration has to be longer than nothing")
        return timedelta(seconds=-seconds if match[1] else seconds)

    def rate(self) -> float:
        """How often, per second: ``40/m``, ``5/s``, ``100/h``."""
        match = _RATE.fullmatch(self._raw)
        if match is None:
            raise self._expected("a rate such as 40/m, 5/s or 100/h")
        return float(match[1]) / _SECONDS[match[2]]

    def zone(self) -> str:
        """The IANA name of a time zone."""
        name = self.text()
        zones = _zones()
        if name not in zones:
            near = difflib.get_close_matches(name, zones, n=1)
            raise self.wrong(
                f"{name!r:.60} is not an IANA time zone" + (f"; did you mean {near[0]}?" if near else ""),
                "a name such as Europe/Berlin or UTC",
            )
        ZoneInfo(name)
        return name

    def cron(self) -> str:
        """A cron expression of five fields that has at least one future time."""
        expression = self.text()
        try:
            if len(expression.split()) != 5:
                raise CronSimError("it has to have five fields: minute hour day month weekday")
            next(CronSim(expression, datetime(2024, 1, 1, tzinfo=UTC)))
        except (CronSimError, StopIteration) as error:
            why = str(error) or "it never comes due"
            raise self.wrong(f"{expression!r:.60} is not a cron expression: {why}") from None
        return expression


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())  # looks through some six hundred files


def did_you_mean(word: str, allowed: Collection[str]) -> str:
    """The rest of a complaint about an unknown word: the nearest allowed one, and all of them."""
    words = [str(item) for item in allowed]
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    shown = words[:_SHOWN]
    more = f" and {len(words) - len(shown)} more" if len(words) > len(shown) else ""
    guess = f"; did you mean {near[0]!r}?" if near else ""
    return f"{guess}; allowed: {', '.join(shown)}{more}" if shown else f"{guess}; none is allowed here"


def read(path: Path, name: str | None = None) -> Entry:
    """The whole file. ``name`` is what complaints call it (its file name by default).

    Raises LabError if it cannot be read, is larger than 4 MB, or is not one YAML document.
    """
    name = name or path.name
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise LabError(
            f"{path}: cannot be read: {error.strerror or error}", "give the path of an estate or a scenario"
        ) from error
    if len(raw) > _LARGEST:
        raise LabError(f"{path}: larger than {_LARGEST // 2**20} MB; that cannot be meant")
    try:
        parser: Any = YAML(typ="safe", pure=True)
        node: Any = parser.compose(raw.decode("utf-8-sig"))
    except MarkedYAMLError as error:
        marked: Any = error
        mark = marked.problem_mark or marked.context_mark
        line = f":{mark.line + 1}" if mark is not None else ""
        raise LabError(f"{name}{line}: not YAML: {marked.problem or marked.context}") from error
    except (YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise LabError(f"{name}: not YAML: {str(error).splitlines()[0]:.200}") from error
    if node is None:
        raise LabError(f"{name}:1: the file is empty")
    return Entry(name, "", _line(node), node)


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1
