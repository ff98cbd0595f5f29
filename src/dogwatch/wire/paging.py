"""Listings that come page by page."""

import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from dogwatch.errors import UnexpectedAnswer
from dogwatch.wire.answer import describe
from dogwatch.wire.http import Http
from dogwatch.wire.records import salvage

P = TypeVar("P")
T = TypeVar("T")

Where = Mapping[str, str | int | list[str]]


async def by_offset(
    http: Http, path: str, where: Where, page: TypeAdapter[P], listed: Callable[[P], list[T]],
    *, key: str, record: TypeAdapter[T], size: int
) -> AsyncIterator[tuple[list[T], UnexpectedAnswer | None]]:  # fmt: skip
    """Each page's good records, and what was wrong with the bad ones, by ``limit`` and ``offset`` of our own.

    A page is checked as a whole by ``page``, of which ``listed`` gives the records; if that fails, the
    records under ``key`` are checked one by one by ``record``. The last page is the first that holds fewer
    than ``size``. Raises UnexpectedAnswer for what is no page at all, and for a platform that ignores the
    offset.
    """
    before: list[T] | None = None
    for offset in itertools.count(0, size):
        answer = await http.get(path, {**where, "limit": size, "offset": offset})
        problem: UnexpectedAnswer | None = None
        try:
            found = listed(page.validate_json(answer.content))
            count = len(found)
        except ValidationError as error:
            found, whole = salvage(answer, key, record)
            count, problem = len(whole.get(key, ())), answer.unexpected(describe(error))
        if count and found == before:
            raise problem or answer.unexpected("the same page twice, whatever the offset")
        yield found, problem
        if count < size:
            return
        before = found


async def by_token(
    http: Http, path: str, where: Where, page: TypeAdapter[P],
    listed: Callable[[P], tuple[list[T], str | None]], *, key: str, record: TypeAdapter[T]
) -> AsyncIterator[tuple[list[T], UnexpectedAnswer | None]]:  # fmt: skip
    """Each page's good records, and what was wrong with the bad ones, by ``page_token``.

    A page is checked as a whole by ``page``, of which ``listed`` gives the records and the next token, which
    may be empty; if that fails, the records under ``key`` are checked one by one by ``record``. Raises
    UnexpectedAnswer for a page with nothing good in it, and for tokens that lead in a circle.
    """
    seen: set[str] = set()
    token: str | None = None
    while True:
        answer = await http.get(path, where if token is None else {**where, "page_token": token})
        problem: UnexpectedAnswer | None = None
        try:
            found, token = listed(page.validate_json(answer.content))
        except ValidationError as error:
            problem = answer.unexpected(describe(error))
            found, whole = salvage(answer, key, record)
            if not found:
                raise problem from None
            token = str(whole.get("next_page_token") or "")
        yield found, problem
        if not token:
            return
        if token in seen:
            raise answer.unexpected("with a next page that was read before")
        seen.add(token)
