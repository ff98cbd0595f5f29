"""What a sick service does to its neighbours, and what it does not."""

import pytest

from dogwatch.model import Harm
from support.incidents import Told, Watch, a_run, graph, told

FULL = "append of block <id> aborted: no space left on device"
HEAP = "java.lang.OutOfMemoryError: Java heap space"
SLOTS = "FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute"
POOL = "HikariPool-1 - Connection is not available, request timed out after 30000ms."
LIMIT = "openai.RateLimitError: Error code: 429 - Rate limit reached"
REFUSED = "Client error '429 Too Many Requests' for url 'http://gateway.ml.svc:8080/v1'"
UNANSWERED = "upstream request timeout"
NOTHING = "hand-over of batch <id> took <ms> ms"
BROKEN = "java.lang.NoSuchMethodError: 'com.shop.Codec.mapper(boolean)'"


def log(name: str, minute: float, line: str) -> Told:
    """A service says something new in its log."""
    return told("log_new", f"component/{name}", minute, line)


def who(watch: Watch, *found: Told) -> dict[str, dict[str, Harm]]:
    """The culprits of the incidents after a round, each with whom it hit and how."""
    live = watch.round(60, *found)
    return {one.culprit: {hit.subject: hit.harm for hit in one.affected} for one in live}


@pytest.mark.parametrize("way", ["component/api - component/store", "component/store - component/api"])
@pytest.mark.parametrize(
    ("first", "then"),
    [(FULL, NOTHING), (FULL, UNANSWERED), (FULL, "WAL write failed: No space left on device"), (SLOTS, POOL),
     (LIMIT, REFUSED), (UNANSWERED, NOTHING), (NOTHING, UNANSWERED)],
)  # fmt: skip
def test_a_neighbour_that_names_no_other_cause_belongs_to_it(way: str, first: str, then: str) -> None:
    found = who(Watch(graph(way)), log("store", 0, first), log("api", 2, then))
    assert found == {"component/store": {"component/api": Harm.degraded}}


@pytest.mark.parametrize(("first", "then"), [(NOTHING, FULL), (UNANSWERED, FULL)])
def test_who_names_a_cause_of_its_own_is_to_blame_though_seen_a_little_later(first: str, then: str) -> None:
    found = who(Watch(graph("component/api - component/store")), log("api", 0, first), log("store", 2, then))
    assert found == {"component/store": {"component/api": Harm.degraded}}


@pytest.mark.parametrize(
    ("way", "first", "then"),
    [
        ("component/api - component/store", FULL, HEAP),
        ("component/api - component/store", NOTHING, NOTHING),
        ("component/api ~ component/store", FULL, NOTHING),
        ("component/api - component/other", FULL, NOTHING),
    ],
    ids=["two causes", "no word of either", "a habit", "no neighbours"],
)
def test_what_is_not_shown_to_belong_together_is_kept_apart(way: str, first: str, then: str) -> None:
    found = who(Watch(graph(way)), log("store", 0, first), log("api", 2, then))
    assert set(found) == {"component/store", "component/api"}


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (FULL, "503 Server Error: Service Unavailable for url: https://store.internal/v1"),
        (FULL, "grpc.RpcError: WAL write failed: No space left on device"),
        (BROKEN, f"Job aborted: {BROKEN}"),
        (FULL, "something odd"),
    ],
)
def test_a_job_that_fails_for_want_of_a_service_belongs_to_it(line: str, error: str) -> None:
    watch = Watch(graph("component/store - a/pay"))
    found = who(watch, log("store", 0, line), told("failed", "a/pay", 20, error))
    assert found == {"component/store": {"a/pay": Harm.failed}}


def test_a_job_that_names_the_service_belongs_to_it_without_an_edge_and_no_other_does() -> None:
    error = "503 Server Error: Service Unavailable for url: https://{}.internal/v1"
    there = told("failed", "a/pay", 20, error.format("store"))
    assert set(who(Watch(), log("store", 0, FULL), there)) == {"component/store"}
    other = told("failed", "a/pay", 20, error.format("bookstore"))
    assert set(who(Watch(), log("store", 0, FULL), other)) == {"component/store", "a/pay"}


def test_a_job_that_fails_of_another_cause_is_told_apart() -> None:
    watch = Watch(graph("component/store - a/pay"))
    found = who(watch, log("store", 0, FULL), told("failed", "a/pay", 20, HEAP))
    assert set(found) == {"component/store", "a/pay"}


def test_who_reads_from_a_service_that_logs_errors_ran_on_stale_data_and_of_a_slow_one_nobody_knows() -> None:
    ways = graph("component/store - c/report")
    for line, hit in ((told("log_new", "component/store", 0, FULL), {"c/report": Harm.stale}),
                      (told("slow", "component/store", 0), {})):  # fmt: skip
        watch = Watch(ways)
        watch.lives = {"c/report": [a_run("c/report", 30)]}
        assert who(watch, line) == {"component/store": hit}
