"""One call of the API: its path, what it takes, what it needs, what it answers. The OpenAPI document and the
checks of what is given follow from it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

from pydantic import BaseModel
from starlette.responses import Response

from dogwatch.model.door import Scope
from dogwatch.web.errors import Refused
from dogwatch.web.site import Ask

Kind = Literal["text", "number", "flag", "moment", "word", "words"]
_MOST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Param:
    """Something in the query, the path or the body."""

    name: str
    kind: Kind
    told: str
    words: tuple[str, ...] = ()
    pattern: str = ""
    least: int = 0
    most: int = _MOST
    preset: Any = None
    longest: int = 300
    required: bool = False

    def schema(self) -> dict[str, Any]:
        """As OpenAPI says it."""
        match self.kind:
            case "number":
                found: dict[str, Any] = {"type": "integer", "minimum": self.least, "maximum": self.most}
            case "flag":
                found = {"type": "boolean"}
            case "moment":
                found = {"type": "string", "format": "date-time"}
            case "word":
                found = {"type": "string", "enum": list(self.words)}
            case "words":
                found = {"type": "array", "items": {"type": "string", "enum": list(self.words)}}
            case "text":
                found = {"type": "string", "maxLength": self.longest}
                if self.pattern:
                    found["pattern"] = f"^(?:{self.pattern})$"
        return found if self.preset is None else {**found, "default": self.preset}

    def read(self, given: Any) -> Any:
        """What was given, checked. Raises Refused."""
        match self.kind:
            case "number":
                return self._number(given)
            case "flag":
                return self._flag(given)
            case "moment":
                return self._moment(given)
            case _:
                return self._text(given)

    def _number(self, given: Any) -> int:
        text = str(given)
        fit = not isinstance(given, (bool, float)) and re.fullmatch(r"-?[0-9]{1,15}", text)
        if not fit or not self.least <= int(text) <= self.most:
            raise self._wrong(f"a whole number from {self.least} to {self.most}")
        return int(text)

    def _flag(self, given: Any) -> bool:
        words = {"true": True, "1": True, "false": False, "0": False}
        found = given if isinstance(given, bool) else words.get(given) if isinstance(given, str) else None
        if found is None:
            raise self._wrong("true or false")
        return found

    def _moment(self, given: Any) -> datetime:
        try:
            found = datetime.fromisoformat(given) if isinstance(given, str) else None
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise self._wrong("a time with its zone, such as 2026-11-20T02:00:00Z")
        try:
            return found.astimezone(UTC)
        except OverflowError:
            return datetime.min.replace(tzinfo=UTC) if found.year < 5000 else datetime.max.replace(tzinfo=UTC)

    def _text(self, given: Any) -> str:
        if not isinstance(given, str) or len(given) > self.longest:
            raise self._wrong(f"text of at most {self.longest} characters")
        if self.words and given not in self.words:
            raise self._wrong(f"one of {', '.join(self.words)}")
        if self.pattern and not re.fullmatch(self.pattern, given):
            raise self._wrong(f"what fits {self.pattern}")
        return given

    def _wrong(self, wanted: str) -> Refused:
        return Refused(400, f"{self.name} is not right", f"give {wanted}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    name: str
    """Its operationId, for good."""
    method: Literal["GET", "POST"]
    path: str
    told: str
    scope: Scope
    answer: Callable[[Ask, Mapping[str, Any]], Awaitable[Response]]
    gives: type[BaseModel] | Mapping[str, Any] | str
    """A noun, a schema, or a media type."""
    takes: tuple[Param, ...] = ()
    """Of the path, by name in it, and of the query."""
    body: tuple[Param, ...] = ()
    refuses: tuple[int, ...] = ()
    """Besides 400, 401, 403 and 429."""

    @property
    def places(self) -> frozenset[str]:
        """Names of the parameters in the path."""
        return frozenset(re.findall(r"{(\w+)", self.path))


def read_query(operation: Operation, ask: Ask) -> dict[str, Any]:
    """The parameters of a request, checked. Raises Refused for what is missing, wrong or unknown."""
    query = ask.request.query_params
    known = {param.name for param in operation.takes if param.name not in operation.places}
    for name in query:
        if name not in known:
            raise Refused(400, "there is no such parameter", f"known: {', '.join(sorted(known)) or 'none'}")
    found: dict[str, Any] = {}
    for param in operation.takes:
        if param.name in operation.places:
            found[param.name] = _in_path(param, ask.path(param.name))
        elif param.kind == "words":
            found[param.name] = tuple(param.read(one) for one in query.getlist(param.name))
        elif param.name in query:
            if len(query.getlist(param.name)) > 1:
                raise Refused(400, f"{param.name} is given twice", "give it once")
            found[param.name] = param.read(query[param.name])
        elif param.required:
            raise Refused(400, f"{param.name} is missing", param.told)
        else:
            found[param.name] = param.preset
    return found


def _in_path(param: Param, given: str) -> Any:
    """What names a thing. One that cannot exist is not there."""
    try:
        return param.read(given)
    except Refused as error:
        raise Refused(404, "there is nothing of that name", error.problem.hint) from None


def read_body(operation: Operation, given: Any) -> dict[str, Any]:
    """The fields of a body, checked. Raises Refused."""
    if not isinstance(given, dict):
        raise Refused(400, "the body is no JSON object", "give {} if there is nothing to say")
    told = cast("dict[str, Any]", given)
    known = {param.name for param in operation.body}
    if unknown := told.keys() - known:
        raise Refused(
            400, f"{len(unknown)} fields are unknown", f"known: {', '.join(sorted(known)) or 'none'}"
        )
    found: dict[str, Any] = {}
    for param in operation.body:
        if param.name in told:
            found[param.name] = param.read(told[param.name])
        elif param.required:
            raise Refused(400, f"{param.name} is missing", param.told)
        else:
            found[param.name] = param.preset
    return found
