"""The miner: right templates on invented logs, parts that add up, ids that stay, memory that is bounded."""

import random
import string
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dogwatch.logs.miner import Miner, Template, template_id
from dogwatch.logs.shapes import Limits
from support.logs_corpus import SYSTEMS, corpus
from support.logs_score import Score, score


def mined(lines: list[str], limits: Limits | None = None) -> list[Template]:
    miner = Miner(limits or Limits())
    if lines:
        miner.feed("\n".join(lines).encode("utf-8", "surrogatepass"))
    return miner.mine().templates


def assigned(lines: list[str]) -> list[str]:
    miner = Miner()
    leaves = miner.feed("\n".join(lines).encode())
    result = miner.mine()
    return [result.templates[result.of_leaf[leaf]].text for leaf in leaves]


def scores(lines: int, seed: int) -> dict[str, Score]:
    logs = [corpus(system, lines, seed) for system in SYSTEMS]
    return {log.name: score(log.truth, assigned(log.messages)) for log in logs}


@pytest.mark.parametrize(("lines", "seed", "least"), [(2000, 1, 0.97), (2000, 2, 0.97), (300, 5, 0.91)])
def test_the_templates_of_invented_systems_are_found(lines: int, seed: int, least: float) -> None:
    found = scores(lines, seed)
    assert fmean(s.grouping for s in found.values()) >= least
    assert fmean(s.grouping_f1 for s in found.values()) >= least
    assert fmean(s.text for s in found.values()) >= least
    assert fmean(s.text_f1 for s in found.values()) >= least
    assert {name for name, s in found.items() if s.grouping < 0.8} == set()


WORDS = [
    "user",
    "host",
    "eth0",
    "eth1",
    "alpha",
    "beta",
    "failed",
    "opened",
    "10.0.0.1",
    "7",
    "id=12",
    "/a/b",
    "0x1f",
]
LINES = st.lists(st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join), max_size=40)
ANYTHING = st.lists(st.text(st.characters(exclude_characters="\n"), max_size=30), max_size=30)
TIGHT = Limits(shapes=6, size=10_000, words=2)


@settings(max_examples=300, deadline=None)
@given(first=LINES | ANYTHING, second=LINES | ANYTHING, limits=st.sampled_from([Limits(), TIGHT]))
def test_parts_add_up_to_the_whole(first: list[str], second: list[str], limits: Limits) -> None:
    parts = []
    for lines in (first, second):
        parts.append(Miner(limits))
        if lines:
            parts[-1].feed("\n".join(lines).encode("utf-8", "surrogatepass"))
    parts[0].absorb(parts[1])
    if not parts[0].shapes.coarse:
        assert parts[0].mine().templates == mined(first + second, limits)


@settings(max_examples=100, deadline=None)
@given(lines=LINES | ANYTHING, seed=st.integers(0, 9), limits=st.sampled_from([Limits(), TIGHT]))
def test_the_order_of_lines_does_not_matter(lines: list[str], seed: int, limits: Limits) -> None:
    shuffled = lines[:]
    random.Random(seed).shuffle(shuffled)
    assert mined(lines, limits) == mined(shuffled, limits)


def test_absorbing_tells_where_the_leaves_of_the_part_went() -> None:
    log = corpus("etl")
    whole, part = Miner(), Miner()
    whole.feed("\n".join(log.messages[:900]).encode())
    leaves = part.feed("\n".join(log.messages[900:]).encode())
    here = whole.absorb(part)
    result = whole.mine()
    texts = [result.templates[result.of_leaf[here[leaf]]].text for leaf in leaves]
    assert texts == assigned(log.messages)[900:]


def test_ids_are_a_function_of_the_text() -> None:
    [template] = mined(["connected to 10.0.0.1 in 5 ms", "connected to 10.0.0.2 in 61 ms"])
    assert template.text == "connected to <*> in <*> ms"
    assert template.id == template_id(template.text) == "766e3ef67f9f"


def letters(lines: int) -> list[str]:
    r = random.Random(11)
    messages = []
    for i in range(lines):
        a, b = ("".join(r.choices(string.ascii_lowercase, k=9)) for _ in range(2))
        messages.append(
            r.choice(
                (
                    f"account {a} joined room {b} from 10.1.2.{i % 250}",
                    f"ticket={b} opened for {a} after {i} s",
                    f"room {b} closed: {a} left",
                )
            )
        )
    return messages


def test_names_of_random_letters_are_variables_however_many_there_are() -> None:
    few, many = mined(letters(60)), mined(letters(6000), Limits(shapes=1000))
    expected = {
        "account <*> joined room <*> from <*>",
        "ticket=<*> opened for <*> after <*> s",
        "room <*> closed: <*> left",
    }
    assert {template.text for template in few} == expected
    assert {template.text for template in many} == expected
    assert sum(template.lines for template in many) == 6000


def test_memory_is_bounded_when_every_line_is_new() -> None:
    limits = Limits(shapes=500, size=100_000, words=20)
    miner = Miner(limits)
    r = random.Random(4)
    for _ in range(30):
        block = (" ".join(r.choices(["ant", "bee", "cat", "dog", "elk"], k=9)) for _ in range(500))
        miner.feed("\n".join(block).encode())
    assert len(miner.shapes.leaves()) <= 3 * limits.shapes
    assert sum(template.lines for template in miner.mine().templates) == 15_000
    assert miner.shapes.coarse


def test_digits_of_a_word_are_text_while_they_are_always_the_same() -> None:
    assert [t.text for t in mined(["listening via ssh2", "listening via ssh2"])] == ["listening via ssh2"]
    assert [t.text for t in mined(["link eth0 down", "link eth1 down"])] == ["link eth<*> down"]


def test_good_and_bad_ends_are_never_one_template() -> None:
    lines = [f"Job {name} finished with status {end}" for name in "ab" for end in ("SUCCEEDED", "FAILED")]
    assert {t.text for t in mined(lines)} >= {
        "Job a finished with status SUCCEEDED",
        "Job a finished with status FAILED",
    }


def test_a_unit_that_follows_the_size_of_its_number_is_part_of_the_value() -> None:
    lines = ["freed 3 MB in pool", "freed 17 KB in pool", "freed 2 GB in pool"]
    assert [t.text for t in mined(lines)] == ["freed <*> in pool"]
    assert [t.text for t in mined(lines[:1])] == ["freed <*> MB in pool"]


def test_a_line_longer_than_we_look_is_one_line() -> None:
    long = "payload " + "x y " * 5000
    assert sum(t.lines for t in mined([long, long + "z", "short one"])) == 3


def test_feeding_goes_on_after_mining() -> None:
    miner = Miner()
    miner.feed(b"started worker 1")
    assert [t.lines for t in miner.mine().templates] == [1]
    miner.feed(b"started worker 2\nstopped worker 2")
    assert [(t.text, t.lines) for t in miner.mine().templates] == [
        ("started worker <*>", 2),
        ("stopped worker <*>", 1),
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["open 10.0.0.1:80 lasted 05:10", "open 10.0.0.1:80 lasted 3 sec"],
            {"open <*> lasted <*>"},
        ),
        (
            ["retrying node17:9000 now", "moved minos-rm/10.1.2.3:8030 to cp-1.rack4.dc.example.us"],
            {"retrying <*> now", "moved <*> to <*>"},
        ),
        (["session opened for root by LOGIN"], {"session opened for <*> by LOGIN"}),
        (
            ["reading Package_for_KB2928120~31bf3856ad364e35~amd64~~6.1.1.2 done"],
            {"reading <*> done"},
        ),
        (
            ["event KIND_LAUNCH for container 7", "event KIND_CLEANUP for container 8"],
            {"event KIND_LAUNCH for container <*>", "event KIND_CLEANUP for container <*>"},
        ),
        (
            ["using selector: kestrel", "using selector: quokka", "using selector: search"],
            {"using selector: <*>"},
        ),
        (
            ["Error: ErrImagePull", "Error: ImagePullBackOff"],
            {"Error: ErrImagePull", "Error: ImagePullBackOff"},
        ),
        (
            [f"created {c}_x with method=m{c} and data={c}" for c in ("tarn", "brin", "quok", "zeph")],
            {"created <*> with method=<*> and data=<*>"},
        ),
        (["wtoken = Window{1a2b3c4 token=Token{9f8e7d6 x}}"], {"wtoken = Window{<*> token=Token{<*> x}}"}),
        (["made server@0.0.0.0:62267 for a@b.org"], {"made server@<*> for <*>"}),
    ],
)
def test_what_is_a_value_and_what_is_text(lines: list[str], expected: set[str]) -> None:
    assert {template.text for template in mined(lines)} == expected
