"""What is forgotten and what never is; backups, and the way from one kind of store to the other."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dogwatch.errors import StoreError
from dogwatch.model import Delivery, DeliveryState, Evidence, EvidenceKind, Status
from dogwatch.store import Store, open_store, schema
from dogwatch.store.copying import backup, restore, verify
from dogwatch.store.logbooks import LogShelf
from dogwatch.store.migrate import HEAD
from dogwatch.store.pruning import Limits
from dogwatch.store.rows import RunFilter
from support.cast import NOON, a_job, a_run
from support.incidents import Watch, told
from support.stores import Where, ends, meddle, unguard

DAY = timedelta(days=1)
LATER = NOON + 500 * DAY
LIMITS = Limits(
    runs=400 * DAY, jobs=400 * DAY, findings=90 * DAY, rounds=90 * DAY, messages=90 * DAY, changes=90 * DAY
)
FAILED = told("failed", "airbyte/orders", 0, "relation does not exist")
SLOW = told("slow", "airbyte/users", 0)
EVERYTHING = RunFilter(limit=10_000)


@pytest.fixture
def store(where: Where) -> Iterator[Store]:
    opened = open_store(where)
    yield opened
    opened.close()


def filled(store: Store) -> None:
    """Something of everything, with what is hard to copy."""
    store.record(
        [a_run(number, Status.failed, error_message="“ü” \\ \x00 \U0001f436") for number in range(9)]
    )
    store.record([a_run(100, metrics={"rows": 3.0, "share": 0.1}, metadata={"a": ["\\u0000", None, 1]})])
    store.save_jobs("airbyte", [a_job(), a_job("users", name="\x00 users")], NOON)
    store.save_log_shelf("prod", LogShelf("cursor", NOON, 3_000_000_000, {"api": b"\x00\xff books"}))
    watch = Watch()
    ends(store, watch, 10, FAILED)
    ends(store, watch, 20, FAILED, SLOW)
    store.log(NOON, "user:ana", "incident.noted", "INC-1", {"text": "hm \x00 “é”", "share": 0.1})
    store.post([a_message(1)])


def a_message(number: int, thread: str = "INC-1") -> Delivery:
    return Delivery(
        kind="message",
        destination="mail",
        key=f"key-{number}",
        thread=thread,
        payload={"text": "ü"},
        next_at=NOON,
        created_at=NOON,
    )


def sent(store: Store, number: int, thread: str) -> None:
    store.post([a_message(number, thread)])
    claimed = store.claim_delivery("message", "mail", "me", NOON)
    assert claimed is not None
    done = claimed.model_copy(update={"state": DeliveryState.sent, "finished_at": NOON, "landed": "there"})
    assert store.finish_delivery(done, "me", NOON)


def fact(number: int, **content: str) -> Evidence:
    return Evidence.of(
        EvidenceKind.run,
        source="airbyte",
        subject="airbyte/orders",
        content={"n": number, **content},
        at=NOON,
    )


# ── forgetting ──────────────────────────────────────────────────────────────────────────────────────────────


def test_old_attempts_go_but_for_the_newest_of_each_job_and_those_that_are_not_over(store: Store) -> None:
    store.record([a_run(number) for number in range(1, 51)])
    store.record([a_run(60, Status.running, job_id="long", job_name="long")])
    store.record([a_run(61, job_id="busy", started_at=LATER - DAY, job_name="busy")])
    assert store.prune(LIMITS, LATER)["runs"] == 20
    kept = {run.native_run_id for run in store.runs(EVERYTHING)}
    assert kept == {a_run(number).native_run_id for number in (*range(21, 51), 60, 61)}
    assert store.prune(LIMITS, LATER)["runs"] == 0


def test_what_an_incident_cites_is_spared_and_so_is_the_attempt_it_speaks_of(store: Store) -> None:
    store.record([a_run(number) for number in range(1, 41)])
    watch = Watch()
    ends(store, watch, 10, FAILED)
    ends(store, watch, 20)
    old = a_run(3).uid
    said = [fact(1, run=old), fact(2, run=a_run(4).uid)]
    meddled = {"number": 1, "evidence": said[0].id}
    with store.writing() as connection:
        store._save_evidence(connection, said)
        connection.execute(schema.citations.insert(), [meddled])
    gone = store.prune(LIMITS, LATER)
    assert (gone["evidence"], gone["findings"], gone["runs"]) == (1, 1, 9)
    assert {one.id for one in store.incident_evidence(1)} == {FAILED.evidence.id, said[0].id}
    assert list(store.runs_by_uid([old, a_run(4).uid])) == [old]


def test_incidents_stay_for_ever_unless_somebody_says_otherwise(store: Store) -> None:
    watch = Watch()
    ends(store, watch, 10, FAILED)
    ends(store, watch, 20)
    ends(store, watch, 30, SLOW)
    ends(store, watch, 40)
    store.prune(LIMITS, LATER)
    assert store.incident(1) is not None
    gone = store.prune(replace(LIMITS, incidents=90 * DAY), LATER)
    assert gone["incidents"] == 1
    assert store.incident(1) is None
    assert store.incident_evidence(1) == []
    assert store.next_incident() == 3
    assert store.evidence([FAILED.evidence.id, SLOW.evidence.id]) == [SLOW.evidence]
    assert store.broken_event() is None


def test_messages_go_but_for_the_first_of_an_incident_and_all_of_a_live_one(store: Store) -> None:
    watch = Watch()
    ends(store, watch, 10, FAILED)
    ends(store, watch, 20)
    ends(store, watch, 30, SLOW)
    for number, thread in enumerate(("INC-1", "INC-1", "INC-2", "INC-2", "digest")):
        sent(store, number, thread)
    store.post([a_message(9, "digest")])
    assert store.prune(LIMITS, LATER)["messages"] == 2
    assert [one.key for one in store.deliveries("message", ["INC-1", "INC-2", "digest"])] == [
        "key-0",
        "key-2",
        "key-3",
        "key-9",
    ]


def test_old_versions_and_rounds_go_and_that_is_on_record(store: Store) -> None:
    store.save_jobs("airbyte", [a_job()], NOON)
    store.save_jobs("airbyte", [a_job(name="Another name")], NOON + DAY)
    for day in range(3):
        number = store.start_round(NOON + day * DAY)
        store.end_round(
            number,
            NOON + day * DAY,
            ended_at=NOON + day * DAY,
            exit_code=0,
            body={},
            findings=[],
            evidence=[],
        )
    assert store.last_pruned() is None
    assert store.prune_due(NOON + DAY, DAY)
    assert not store.prune_due(NOON, DAY)
    gone = store.prune(LIMITS, LATER)
    assert (gone["jobs"], gone["rounds"]) == (1, 2)
    assert store.last_pruned() == LATER
    assert not store.prune_due(LATER, DAY)
    assert store.last_round()[0] == 3
    [event] = store.events("store")
    assert (event.kind, event.detail["rounds"]) == ("store.pruned", 2)
    store.compact()
    assert len(store.jobs()) == 1


# ── backups ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_backup_is_one_file_with_everything(store: Store, tmp_path: Path) -> None:
    filled(store)
    store.claim_round("me", NOON)
    with pytest.raises(StoreError, match="there is no folder"):
        backup(store, tmp_path / "safe" / "b.db")
    (tmp_path / "safe").mkdir()
    made = backup(store, tmp_path / "safe" / "b.db")
    assert [path.name for path in (tmp_path / "safe").iterdir()] == ["b.db"]
    assert verify(tmp_path / "safe" / "b.db") == made
    assert (made.rows["runs"], made.rows["incidents"], made.revision) == (10, 2, HEAD)
    assert made.events == store.verify_events()[1]
    assert "leases" not in made.rows
    with pytest.raises(StoreError, match="is there already"):
        backup(store, tmp_path / "safe" / "b.db")


def test_either_kind_of_store_is_made_from_a_backup_and_goes_on(store: Store, tmp_path: Path) -> None:
    origin = open_store(tmp_path / "origin.db")
    filled(origin)
    made = backup(origin, tmp_path / "b.db")
    assert restore(tmp_path / "b.db", store) == made
    assert store.runs(EVERYTHING)[-1].error_message in {"“ü” \\ \x00 \U0001f436", "“ü” \\ � \U0001f436"}
    assert store.log_shelf("prod").books == {"api": b"\x00\xff books"}
    assert store.live_incidents() == origin.live_incidents()
    assert store.jobs_like("users") == [("airbyte", "users")]
    assert store.broken_event() is None
    assert store.start_round(NOON) == 3
    sent(store, 2, "INC-9")
    assert [one.id for one in store.deliveries("message", ["INC-1", "INC-9"])] == [1, 2]
    assert backup(store, tmp_path / "again.db").rows["runs"] == 10


def test_a_store_that_holds_something_is_not_overwritten(store: Store, tmp_path: Path) -> None:
    filled(store)
    made = backup(store, tmp_path / "b.db")
    with pytest.raises(StoreError, match="is not empty"):
        restore(tmp_path / "b.db", store)
    assert backup(store, tmp_path / "c.db").checksums == made.checksums


def test_a_backup_that_was_damaged_or_edited_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path / "dogwatch.db")
    filled(store)
    whole = tmp_path / "b.db"
    backup(store, whole)
    store.close()
    cut = tmp_path / "cut.db"
    cut.write_bytes(whole.read_bytes()[:-20_000])
    with pytest.raises(StoreError, match=r"damaged|malformed"):
        verify(cut)
    unguard(whole)
    meddle(whole, "UPDATE events SET actor = 'user:eve' WHERE seq = 1")
    with pytest.raises(StoreError, match="event 1 of the record was changed"):
        verify(whole)
    (tmp_path / "diary.txt").write_text("dear diary")
    for path in (tmp_path / "diary.txt", tmp_path / "nothing.db"):
        with pytest.raises(StoreError):
            verify(path)


def test_a_store_in_use_is_verified_and_restored_from_as_well(tmp_path: Path) -> None:
    store = open_store(tmp_path / "dogwatch.db")
    filled(store)
    before = (tmp_path / "dogwatch.db").stat().st_mtime_ns
    assert verify(tmp_path / "dogwatch.db").rows["runs"] == 10
    assert (tmp_path / "dogwatch.db").stat().st_mtime_ns == before
    other = open_store(tmp_path / "other.db")
    restore(tmp_path / "dogwatch.db", other)
    assert verify(tmp_path / "other.db") == verify(tmp_path / "dogwatch.db")
