"""The memory of a log: parts that were mined anywhere add up to what one would have mined."""

import json
import zlib
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dogwatch.logs.book import OTHER
from dogwatch.logs.events import Batch
from dogwatch.logs.findings import findings
from dogwatch.logs.judge import Components
from dogwatch.logs.memory import Memory
from dogwatch.logs.verdict import verdicts
from support.logs_corpus import SYSTEMS, corpus

NOW = 1_790_000_040.0
SECRETS = [
    "fetch with pwd=/home/ann/9f3a1c7b2d of run failed",
    "login with password=hunter2 ok",
    "login with password=secret77 ok",
    "mail to ann@example.org sent",
]


@cache
def said(system: str) -> list[str]:
    return [*corpus(system, 120, 3).messages, *SECRETS]


def batch(messages: list[str], at: float) -> Batch:
    """Messages of four components, of an hour and a half."""
    n = len(messages)
    return Batch(
        "\n".join(messages).encode(),
        n,
        [at + 40.0 * i for i in range(n)],
        [("info", "error")[i % 5 == 0] for i in range(n)],
        [f"c{i % 4}" for i in range(n)],
    )


def mined(batches: list[Batch], stored: dict[str, bytes] | None = None) -> Memory:
    memory = Memory(Components({}), stored or {}, NOW)
    for one in batches:
        memory.add(Batch(one.messages, one.events, list(one.times), list(one.levels), list(one.components)))
    return memory


BATCHES = st.lists(st.sampled_from(sorted(SYSTEMS)), min_size=1, max_size=4)


@given(BATCHES, BATCHES, st.lists(st.integers(0, 4), max_size=3))
@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_parts_that_are_put_together_in_order_are_what_one_would_remember(
    before: list[str], systems: list[str], cuts: list[int]
) -> None:
    stored = mined([batch(said(name), NOW - 90_000) for name in before]).changed()
    batches = [batch(said(name), NOW + 5_000 * i) for i, name in enumerate(systems)]
    one, together = mined(batches, stored), mined([], stored)
    edges = [0, *sorted(min(cut, len(batches)) for cut in cuts), len(batches)]
    for begin, end in pairwise(edges):
        assert together.absorb(mined(batches[begin:end]).part())
    assert together.lines == one.lines
    assert together.changed() == one.changed()
    assert judged(together) == judged(one)


def test_a_message_with_a_secret_is_as_well_known_as_any_other() -> None:
    later = Memory(Components({}), mined([batch(SECRETS * 9, NOW - 90_000)]).changed(), NOW)
    later.add(batch(SECRETS * 9, NOW))
    later.changed()
    assert [told for told in judged(later) if told != ([], [])] == []


def judged(memory: Memory) -> list[object]:
    """What is wrong with it."""
    found = sorted(memory.books.items())
    at = datetime(2026, 11, 1, tzinfo=UTC)
    return [findings(verdicts(book, NOW + 6_000), "log", name, at) for name, book in found]


def told(memory: Memory) -> list[list[dict[str, object]]]:
    """What it remembers but the sample lines."""
    packed = [json.loads(zlib.decompress(body)) for _, body in sorted(memory.changed().items())]
    return [[{**voice, "samples": []} for voice in one["voices"]] for one in packed]


def test_a_part_holds_no_secret() -> None:
    part = mined([batch(SECRETS * 5, NOW)]).part()
    told = b""
    while part:
        size = int.from_bytes(part[:4], "big")
        told, part = told + zlib.decompress(part[4 : 4 + size]), part[4 + size :]
    assert b"login with password" in told
    assert not any(secret in told for secret in (b"hunter2", b"secret77", b"ann@example.org"))


def test_names_without_end_give_parts_that_add_up_too() -> None:
    def many(begin: int) -> Batch:
        words = [f"{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676)}" for n in range(3_000)]
        return batch([f"cannot open {word} of {word}" for word in words[begin : begin + 1_500]], NOW)

    batches = [many(0), many(1_500), many(700)]
    one, together = mined(batches), mined([])
    for part in batches:
        assert together.absorb(mined([part]).part())
    wanted = told(one)
    assert told(together) == wanted
    assert max(len(voices) for voices in wanted) < 1_000


def test_of_more_components_than_are_told_apart_none_is_lost() -> None:
    parts = [
        Batch(
            b"\n".join(b"ready" for _ in range(150)), 150, [NOW] * 150, [""] * 150,
            [f"{name}{i}" for i in range(150)],
        )
        for name in "ab"
    ]  # fmt: skip
    together = mined([])
    for one in parts:
        assert together.absorb(mined([one]).part())
    assert together.lines == 300
    assert len(together.books) == 201
    assert together.books[OTHER].events == 100


def test_what_is_no_part_counts_nothing() -> None:
    memory = mined([])
    part = mined([batch(SECRETS, NOW)]).part()
    assert [memory.absorb(one) for one in (b"", b"nonsense", part[:-9])] == [False, False, False]
    assert (memory.lines, memory.books) == (0, {})
