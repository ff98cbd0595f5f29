"""Cloud Logging's twin: ``entries.list`` of the Logging API v2 over what the lab's components log.

An entry can be read once it was received. ``filter`` understands comparisons joined by AND, which is what a
reader by time needs; ``pageToken`` goes on after the last entry that was told, however many came since.
"""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, ClassVar, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dogwatch.lab.faults import SEVERITIES
from dogwatch.lab.google import ACCESS_TOKEN, PROJECT, Door, entry, problem
from dogwatch.lab.lines import Line, Lines
from dogwatch.lab.twin import Jobless
from dogwatch.lab.world import World

_LARGEST_PAGE = 1000
_DEFAULT_SPAN = timedelta(hours=24)
"""A filter without a timestamp looks back so far."""
_TERM = re.compile(r'\s*([\w.]+)\s*(>=|<=|!=|=|>|<|:)\s*("(?:[^"\\]|\\.)*"|[^\s"()]+)\s*')


class _Bad(Exception):
    """What the API refuses, in its words."""


class CloudLogging(Jobless):
    """The logs of one project."""

    platform: ClassVar[str] = "cloud_logging"
    required: ClassVar[str] = "logName"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._lines = Lines(world)
        self._door = Door(world)

    def routes(self) -> Sequence[BaseRoute]:
        """The vendor's paths; the token endpoint is another host's in life."""
        return [
            Route("/token", self._door.token, methods=["POST"]),
            Route("/v2/entries:list", self._door.guarded(self._list), methods=["POST"]),
        ]

    def settings(self, base_url: str) -> dict[str, Any]:
        """The project."""
        return {"project": PROJECT, "url": base_url}

    def credentials(self) -> dict[str, str]:
        """An access token."""
        return {"access_token": ACCESS_TOKEN}

    def revoke(self) -> None:
        """Tokens are worthless from now on."""
        self._door.revoke()

    async def _list(self, request: Request) -> Response:
        try:
            body = json.loads(await request.body())
            return JSONResponse(self._page(body))
        except _Bad as error:
            return problem(400, "INVALID_ARGUMENT", str(error))
        except ValueError:
            return problem(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")

    def _page(self, body: dict[str, Any]) -> dict[str, Any]:
        if f"projects/{PROJECT}" not in body.get("resourceNames", []):
            raise _Bad("The resourceNames field must contain at least one resource of yours.")
        order = body.get("orderBy", "timestamp asc") or "timestamp asc"
        if order not in {"timestamp asc", "timestamp desc", "timestamp"}:
            raise _Bad(f"Invalid order by: {order}")
        descending = order.endswith("desc")
        size = min(int(body.get("pageSize", 50) or 50), _LARGEST_PAGE)
        if size < 1:
            raise _Bad("page_size must be positive")
        after = _cursor(body.get("pageToken", ""), body)
        chosen = list(islice(self._chosen(body.get("filter", ""), after, descending), size + 1))
        skew = self.world.skew(self.platform)
        answer: dict[str, Any] = {"entries": [entry(line, skew) for line in chosen[:size]]} if chosen else {}
        if len(chosen) > size:
            last = chosen[size - 1]
            token = {"at": last.at.isoformat(), "number": last.number, "filter": body.get("filter", "")}
            answer["nextPageToken"] = base64.urlsafe_b64encode(json.dumps(token).encode()).decode()
        return answer

    def _chosen(self, text: str, after: tuple[datetime, int] | None, descending: bool) -> Iterator[Line]:
        """What the filter lets through beyond the cursor, in the order asked for."""
        terms = _terms(text)
        start, end = _span(terms, self.world.now)
        if after is not None and not descending:
            start = max(start, after[0])
        if after is not None and descending:
            end = min(end, after[0] + timedelta(microseconds=1))
        now = self.world.now
        lines: Iterator[Line] = self._lines.between(start, end, self.platform)
        if descending:
            lines = reversed(list(lines))
        for line in lines:
            if line.received > now or not all(_holds(term, line) for term in terms):
                continue
            place = (line.at, line.number)
            if after is None or (place < after if descending else place > after):
                yield line


Term = tuple[str, str, Any]
"""Field, operator, and the value: a moment for times, the rank for severities, else text."""


def _terms(text: str) -> list[Term]:
    """``field op value`` of a filter in which all have to hold."""
    found: list[Term] = []
    at = 0
    while text[at:].strip():
        match = _TERM.match(text, at)
        if match is None:
            raise _Bad(f"Unparseable filter: syntax error at line 1, column {at + 1}")
        value = match[3]
        found.append(_term(match[1], match[2], json.loads(value) if value.startswith('"') else value))
        at = match.end()
        if text[at : at + 4] == "AND ":
            at += 4
    return found


def _term(name: str, how: str, value: str) -> Term:
    if name in {"timestamp", "receiveTimestamp"}:
        return name, how, _time(value)
    if name != "severity":
        return name, how, value
    if value not in SEVERITIES:
        raise _Bad(f"Unparseable filter: invalid severity {value}")
    return name, how, SEVERITIES.index(value)


def _span(terms: Sequence[Term], now: datetime) -> tuple[datetime, datetime]:
    """The times of entries that a filter may let through. Received ones may be older by hours."""
    start, end = now - _DEFAULT_SPAN, now
    told = False
    for name, how, value in terms:
        if name == "timestamp" and how in {">", ">="}:
            start, told = (value if not told else max(start, value)), True
        elif name == "timestamp" and how in {"<", "<="}:
            end = min(end, value + timedelta(microseconds=1))
    return start, end


def _holds(term: Term, line: Line) -> bool:
    name, how, value = term
    if name in {"timestamp", "receiveTimestamp"}:
        return _compare(line.at if name == "timestamp" else line.received, how, value)
    if name == "severity":
        return _compare(SEVERITIES.index(line.severity), how, value)
    told: Any = entry(line)
    for step in name.split("."):
        told = cast("dict[str, Any]", told).get(step, "") if isinstance(told, dict) else ""
    if how == ":":
        return value.lower() in str(told).lower()
    if how not in {"=", "!="}:
        raise _Bad(f"Unparseable filter: {name} cannot be compared by {how}")
    return (told == value) is (how == "=")


def _compare(one: Any, how: str, other: Any) -> bool:
    match how:
        case ">":
            return bool(one > other)
        case ">=":
            return bool(one >= other)
        case "<":
            return bool(one < other)
        case "<=":
            return bool(one <= other)
        case "=":
            return bool(one == other)
        case _:
            return bool(one != other)


def _time(value: str) -> datetime:
    text = re.sub(r"(\.\d{6})\d+", r"\1", value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _Bad(f"Unparseable filter: invalid timestamp {value}")
    return moment.astimezone(UTC)


def _cursor(token: str, body: dict[str, Any]) -> tuple[datetime, int] | None:
    if not token:
        return None
    try:
        told = json.loads(base64.urlsafe_b64decode(token))
        if told["filter"] != body.get("filter", ""):
            raise _Bad("page_token doesn't match arguments from the request")
        return datetime.fromisoformat(told["at"]), int(told["number"])
    except (ValueError, KeyError, TypeError):
        raise _Bad("Invalid page_token") from None
