"""The right to make a round: kept by renewing, lost for good; without it nothing of a round is written."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from dogwatch.errors import StoreError
from dogwatch.model import Source
from dogwatch.store import Store, lease, open_store
from support.cast import NOON, a_job, a_run
from support.stores import Where

LATER = NOON + lease.TTL

WRITES: dict[str, Callable[[Store], object]] = {
    "runs": lambda store: store.record([a_run(1)]),
    "jobs": lambda store: store.save_jobs("airbyte", [a_job()], NOON),
    "sight": lambda store: store.save_source(Source(instance="airbyte", platform="airbyte")),
    "findings": lambda store: store.end_round(
        1, NOON, ended_at=NOON, exit_code=0, body={}, findings=[], evidence=[]
    ),
}


@pytest.fixture
def stores(where: Where) -> Iterator[tuple[Store, Store]]:
    """Alice's and Bob's way to the same store."""
    alice, bob = (open_store(where) for _ in range(2))
    yield alice, bob
    alice.close()
    bob.close()


def test_a_lease_that_is_renewed_in_time_is_kept(stores: tuple[Store, Store]) -> None:
    alice, bob = stores
    alice.claim_round("alice", NOON)
    assert alice.renew_round(NOON + timedelta(seconds=50))
    assert bob.claim_round("bob", LATER) == "alice"
    assert bob.claim_round("bob", LATER + timedelta(seconds=50)) is None


def test_a_lease_that_ran_out_unnoticed_can_be_renewed(stores: tuple[Store, Store]) -> None:
    alice, bob = stores
    alice.claim_round("alice", NOON)
    assert alice.renew_round(LATER)
    assert bob.claim_round("bob", LATER) == "alice"


def test_a_clock_that_goes_back_leaves_no_lease_to_the_dead(stores: tuple[Store, Store]) -> None:
    alice, bob = stores
    alice.claim_round("alice", NOON + timedelta(hours=1))
    assert bob.claim_round("bob", NOON + timedelta(minutes=51, seconds=30)) == "alice"
    assert bob.claim_round("bob", NOON) is None


def test_who_lives_keeps_the_lease_when_the_clock_goes_back(stores: tuple[Store, Store]) -> None:
    alice, bob = stores
    alice.claim_round("alice", NOON + timedelta(hours=1))
    assert alice.renew_round(NOON)
    assert bob.claim_round("bob", NOON + timedelta(seconds=1)) == "alice"


def test_who_never_had_the_lease_cannot_renew_it(stores: tuple[Store, Store]) -> None:
    assert not stores[0].renew_round(NOON)
    assert stores[1].claim_round("bob", NOON) is None


@pytest.mark.parametrize("what", WRITES)
def test_a_lost_lease_stays_lost_even_when_the_successor_is_done(
    stores: tuple[Store, Store], what: str
) -> None:
    alice, bob = stores
    alice.claim_round("alice", NOON)
    assert bob.claim_round("bob", LATER) is None
    bob.release_round()
    assert not alice.renew_round(LATER)
    with pytest.raises(StoreError, match="took over"):
        WRITES[what](alice)
    assert (alice.count_runs(), alice.jobs(), alice.sources()) == (0, [], [])


def test_who_lost_the_lease_does_not_take_it_from_the_successor(stores: tuple[Store, Store]) -> None:
    alice, bob = stores
    alice.claim_round("alice", NOON)
    bob.claim_round("bob", LATER)
    alice.release_round()
    assert alice.claim_round("carol", LATER) == "bob"
