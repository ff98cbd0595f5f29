"""Listings that come page by page."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from dogwatch.errors import UnexpectedAnswer
from dogwatch.wire.paging import by_offset
from support.door import Script, door, ok


class Record(BaseModel):
    """What is listed."""

    id: int


class Page(BaseModel):
    """How it is listed."""

    items: list[Record]


def items(*ids: Any) -> dict[str, Any]:
    """A page."""
    return {"items": [{"id": number} for number in ids]}


async def read(script: Script) -> tuple[list[int], list[str]]:
    """All ids, and what was wrong with others."""
    ids: list[int] = []
    problems: list[str] = []
    pages = by_offset(
        door(script),
        "things",
        {"where": ["a", "b"]},
        TypeAdapter(Page),
        lambda page: page.items,
        key="items",
        record=TypeAdapter(Record),
        size=2,
    )
    async for found, problem in pages:
        ids += [record.id for record in found]
        problems += [] if problem is None else [str(problem)]
    return ids, problems


def test_the_first_page_that_is_not_full_is_the_last() -> None:
    script = Script(ok(items(1, 2)), ok(items(3, 4)), ok(items()))
    assert asyncio.run(read(script)) == ([1, 2, 3, 4], [])
    assert [request.url.params["offset"] for request in script.requests] == ["0", "2", "4"]
    assert script.requests[0].url.params.get_list("where") == ["a", "b"]


def test_a_bad_record_counts_as_one_and_is_told() -> None:
    ids, problems = asyncio.run(read(Script(ok(items(1, "x")), ok(items(3)))))
    assert ids == [1, 3]
    (problem,) = problems
    assert "items.1.id" in problem


def test_an_ignored_offset_is_an_error() -> None:
    with pytest.raises(UnexpectedAnswer, match="same page twice"):
        asyncio.run(read(Script(ok(items(1, 2)))))


def test_what_is_no_page_is_an_error() -> None:
    with pytest.raises(UnexpectedAnswer):
        asyncio.run(read(Script(ok({"items": 7}))))
