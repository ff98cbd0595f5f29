"""Listings by token: every page once, good records kept, and no running in circles."""

import asyncio
from typing import Any

import httpx2
import pytest
from pydantic import BaseModel, TypeAdapter

from dogwatch.errors import ConnectorError, UnexpectedAnswer
from dogwatch.wire.paging import by_token
from support.door import Script, door, ok


class Item(BaseModel):
    """A record."""

    id: int


class Page(BaseModel):
    """A page."""

    items: list[Item] = []
    next_page_token: str | None = None


ITEM, PAGE = TypeAdapter(Item), TypeAdapter(Page)


def listing(*pages: httpx2.Response) -> tuple[list[int], list[str], ConnectorError | None, Script]:
    """The ids read, what was wrong with bad records, what ended it, and the requests."""
    script = Script(*pages)
    ids: list[int] = []
    problems: list[str] = []

    async def read() -> ConnectorError | None:
        pages = by_token(
            door(script),
            "items",
            {"limit": 2},
            PAGE,
            lambda page: (page.items, page.next_page_token),
            key="items",
            record=ITEM,
        )
        try:
            async for found, problem in pages:
                ids.extend(item.id for item in found)
                problems.extend([] if problem is None else [problem.message])
        except ConnectorError as error:
            return error
        return None

    return ids, problems, asyncio.run(read()), script


def page(*ids: Any, token: str | None = None) -> httpx2.Response:
    """One page."""
    return ok({"items": [{"id": number} for number in ids], **({"next_page_token": token} if token else {})})


def test_pages_are_read_until_no_token_comes_even_past_an_empty_one() -> None:
    ids, problems, error, script = listing(page(1, 2, token="b"), page(token="c"), page(3, token=""))
    assert (ids, problems, error) == ([1, 2, 3], [], None)
    asked = [dict(request.url.params) for request in script.requests]
    assert asked == [{"limit": "2"}, {"limit": "2", "page_token": "b"}, {"limit": "2", "page_token": "c"}]


def test_good_records_beside_a_bad_one_are_kept_and_the_next_page_is_read() -> None:
    ids, problems, error, _ = listing(page(1, "two", 3, token="b"), page(4))
    assert (ids, error) == ([1, 3, 4], None)
    assert "items.1.id" in problems[0]


@pytest.mark.parametrize("answer", [page("one"), ok({"items": "none"}), ok([1]), ok({"items": [None]})])
def test_a_page_with_nothing_good_in_it_is_an_error(answer: httpx2.Response) -> None:
    ids, _, error, _ = listing(answer)
    assert ids == []
    assert isinstance(error, UnexpectedAnswer)


def test_tokens_that_lead_in_a_circle_are_an_error() -> None:
    ids, _, error, _ = listing(page(1, token="b"), page(2, token="c"), page(3, token="b"), page(4))
    assert ids == [1, 2, 3]
    assert isinstance(error, UnexpectedAnswer)
    assert "read before" in error.message
