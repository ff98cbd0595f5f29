"""Incidents in the store: versions compared and set, evidence kept, a record that shows any later edit."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from dogwatch.incidents import lifecycle
from dogwatch.model import IncidentState
from dogwatch.store import Store, open_store
from dogwatch.store.incidents import Casebook, IncidentFilter, Outrun
from support.cast import NOON
from support.incidents import AUTH, Watch, told
from support.stores import Where, ends, meddle, unguard

ANA = "user:ana"
FAILED = told("failed", "airbyte/orders", 0, AUTH)


@pytest.fixture
def store(where: Where) -> Iterator[Store]:
    opened = open_store(where)
    yield opened
    opened.close()


def test_an_incident_comes_back_as_it_was_with_every_state_it_was_in(store: Store) -> None:
    watch = Watch()
    ends(store, watch, 10, FAILED)
    [open_] = store.live_incidents()
    ends(store, watch, 20)
    over = store.incident(1)
    assert over == watch.incidents[1]
    assert store.incident_versions(1) == [open_, over]
    assert [(turn.kind, turn.version) for turn in store.turns(1)] == [("opened", 1), ("resolved", 2)]
    assert store.live_incidents() == []
    assert store.ended_incidents(NOON) == [over]
    assert store.incident(2) is None
    assert store.next_incident() == 2


def test_what_it_rests_on_is_kept_with_it(store: Store) -> None:
    watch = Watch()
    ends(store, watch, 10, FAILED)
    ends(store, watch, 20)
    [(finding, cleared)] = store.incident_findings([1])[1]
    assert (finding, cleared) == (FAILED.finding, NOON + timedelta(minutes=20))
    assert store.incident_evidence(1) == [FAILED.evidence]


def test_of_two_who_change_it_at_once_one_learns_that_it_was_too_late(store: Store) -> None:
    watch = Watch()
    ends(store, watch, 10, FAILED)
    [one] = store.live_incidents()
    taken, turn = lifecycle.acknowledge(one, ANA, NOON)
    store.save_incidents(Casebook([taken], [turn]))
    with pytest.raises(Outrun, match="INC-1 was changed by somebody else"):
        ends(store, watch, 20)
    assert store.live_incidents() == [taken]
    assert store.last_round()[0] == 1
    assert [finding.fingerprint for finding in store.open_findings()] == [FAILED.finding.fingerprint]


def test_two_cannot_open_the_same_number(store: Store) -> None:
    book = ends(store, Watch(), 10, FAILED)
    with pytest.raises(Outrun):
        store.save_incidents(book)


def test_incidents_are_found_by_state_platform_and_time(store: Store) -> None:
    watch = Watch()
    ends(store, watch, 10, FAILED)
    ends(store, watch, 20, told("failed", "databricks/sales", 15, "disk full"))

    def numbers(wanted: IncidentFilter) -> list[int]:
        return [one.number for one in store.incidents(wanted)]

    assert numbers(IncidentFilter()) == [2, 1]
    assert numbers(IncidentFilter(states=(IncidentState.resolved,))) == [1]
    assert numbers(IncidentFilter(platform="airbyte")) == [1]
    assert numbers(IncidentFilter(platform="air_yte")) == []
    assert numbers(IncidentFilter(since=NOON + timedelta(minutes=21))) == [2]
    assert numbers(IncidentFilter(limit=1)) == [2]


def test_the_record_is_a_chain_that_no_program_can_edit(store: Store, where: Where) -> None:
    ends(store, Watch(), 10, FAILED)
    store.log(NOON, ANA, "incident.noted", "INC-1", {"text": "“quoted” é"})
    kinds = [event.kind for event in store.events("INC-1")]
    assert kinds == ["incident.opened", "incident.noted"]
    assert store.broken_event() is None
    for verb in ("UPDATE events SET actor = 'nobody'", "DELETE FROM events WHERE seq = 2"):
        with pytest.raises(DBAPIError, match="append-only"):
            meddle(where, verb)


@pytest.mark.parametrize(
    ("forgery", "first"),
    [
        ("UPDATE events SET actor = 'user:eve' WHERE seq = 2", 2),
        ("UPDATE events SET detail = '{}' WHERE seq = 1", 1),
        ("DELETE FROM events WHERE seq = 2", 2),
        ("UPDATE events SET at = '2026-03-03T12:00:01.000000+00:00' WHERE seq = 3", 3),
    ],
)
def test_a_forgery_breaks_the_chain_where_it_was_made(
    store: Store, where: Where, forgery: str, first: int
) -> None:
    for number in range(4):
        store.log(NOON, ANA, "incident.noted", "INC-1", {"text": f"note {number}"})
    unguard(where)
    meddle(where, forgery)
    assert store.broken_event() == first
