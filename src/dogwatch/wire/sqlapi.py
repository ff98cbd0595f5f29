"""Snowflake's SQL API v2: one statement in, its rows out, however slow or large (``sqlapi.yaml``)."""

import re
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter

from dogwatch.errors import AuthError, ConnectorError, UnexpectedAnswer, Unreachable
from dogwatch.wire.answer import Answer
from dogwatch.wire.clock import Clock
from dogwatch.wire.http import Http

LONGEST = 600.0
"""Seconds after which a statement is given up."""

_NO_RIGHT = re.compile(
    r"not authorized|insufficient privileges|does not exist|no active warehouse", re.IGNORECASE
)

_CELL = frozenset({str, type(None)})

Row = Mapping[str, str | None]
"""Column name (upper case) -> cell; every cell is text or null."""


class _RowType(BaseModel):
    name: str


class _Partition(BaseModel):
    rowCount: int = 0  # noqa: N815  # the wire's spelling


class _MetaData(BaseModel):
    partitionInfo: list[_Partition] = []  # noqa: N815  # the wire's spelling
    rowType: list[_RowType]  # noqa: N815  # the wire's spelling


class _ResultSet(BaseModel):
    statementHandle: str  # noqa: N815  # the wire's spelling
    resultSetMetaData: _MetaData  # noqa: N815  # the wire's spelling
    data: list[Any]
    """Rows, each checked on its own: a bad one must not cost the others."""


class _Handle(BaseModel):
    statementHandle: str  # noqa: N815  # the wire's spelling


class _More(BaseModel):
    data: list[Any]


_RESULT = TypeAdapter(_ResultSet)
_HANDLE = TypeAdapter(_Handle)
_REST = TypeAdapter(_More)


class SqlApi:
    """Statements on one account, as one role with one warehouse."""

    def __init__(self, http: Http, clock: Clock, *, warehouse: str, role: str | None) -> None:
        self._http = http
        self._clock = clock
        self._warehouse = warehouse
        self._role = role

    def query(self, statement: str, bindings: Sequence[str] = ()) -> AsyncIterator[Sequence[Row]]:
        """The rows of one statement, partition by partition. Sent again it is not run twice (requestId).

        ``bindings`` are texts for the question marks in it. Raises a ConnectorError; for rows that make no
        sense an UnexpectedAnswer, after all others.
        """
        return self._rows(statement, bindings, reads=True)

    def command(self, statement: str) -> AsyncIterator[Sequence[Row]]:
        """The same for a statement that changes something: sent once, never again by itself."""
        return self._rows(statement, (), reads=False)

    async def _rows(
        self, statement: str, bindings: Sequence[str], *, reads: bool
    ) -> AsyncIterator[Sequence[Row]]:
        request = {
            "statement": statement,
            "timeout": int(LONGEST),
            "warehouse": self._warehouse,
            "role": self._role,
            "bindings": {str(at): {"type": "TEXT", "value": text} for at, text in enumerate(bindings, 1)}
            or None,
            "parameters": {"timezone": "UTC", "query_tag": "dogwatch"},
        }
        body = {key: value for key, value in request.items() if value is not None}
        params: dict[str, str | int] = {
            "requestId": str(uuid.uuid4()),
            "retry": "true",
            "async": "false",
            "nullable": "true",
        }
        try:
            submit = self._http.ask if reads else self._http.send
            answer = await submit("api/v2/statements", body, params=params)
            answer = await self._finished(answer)
        except UnexpectedAnswer as error:
            raise _refused(error) from error
        result = answer.parse(_RESULT)
        names = [column.name.upper() for column in result.resultSetMetaData.rowType]
        rows = _named(names, result.data)
        whole = len(rows) == len(result.data)
        yield rows
        for number in range(1, len(result.resultSetMetaData.partitionInfo)):
            path = f"api/v2/statements/{result.statementHandle}"
            more = (await self._http.get(path, {"partition": number})).parse(_REST)
            rows = _named(names, more.data)
            whole = whole and len(rows) == len(more.data)
            yield rows
        if not whole:
            raise answer.unexpected("rows that do not match their columns")

    async def _finished(self, answer: Answer) -> Answer:
        """Wait for a slow statement: 202 means that it still runs."""
        waited, pause = 0.0, 1.0
        while answer.status == 202:
            handle = answer.parse(_HANDLE).statementHandle
            if waited >= LONGEST:
                raise Unreachable(
                    f"a statement did not end within {LONGEST:.0f} s",
                    "is the warehouse overloaded?",
                )
            await self._clock.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, 15.0)
            answer = await self._http.get(f"api/v2/statements/{handle}")
        return answer


def _named(names: Sequence[str], data: Sequence[Any]) -> list[Row]:
    """The rows that are one cell of text or null for each column."""
    rows: list[Row] = []
    for cells in data:
        if isinstance(cells, list) and _CELL.issuperset(map(type, cells)):  # pyright: ignore[reportUnknownArgumentType]  # it is whatever JSON holds
            try:
                rows.append(dict(zip(names, cast("list[str | None]", cells), strict=True)))
            except ValueError:
                continue  # too many cells, or too few
    return rows


def _refused(error: UnexpectedAnswer) -> ConnectorError:
    """A statement that failed for lack of a right is the user's to grant, not an unknown answer."""
    if error.status == 422 and _NO_RIGHT.search(error.message):
        return AuthError(error.message, "grant it to the role; the docs page lists every grant", status=403)
    return error
