"""Whether a hub holds what the store knows: counts and checksums of small parts first, then row by row where
those differ."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from dogwatch.feed import number_at, runs_at
from dogwatch.hub.base import AnyHub
from dogwatch.hub.rows import Row, bucket, checksum, digest, health_rows, incident_row, round_row, run_row
from dogwatch.hub.tables import HEALTH_ASSESSMENTS, INCIDENTS, JOB_STATUS, ROUNDS, Table
from dogwatch.model import Incident
from dogwatch.model.hub import HubDifference, HubTable
from dogwatch.store import Store, StoreThread
from dogwatch.store.feeds import RunsAt

_NAMED = 20
"""Differences of a table that are named; all are counted."""
_PAGE = 5_000
_EVER = 2**62


@dataclass(slots=True)
class _Here:
    """One table as the store knows it."""

    table: Table
    rows: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """By bucket, digests by uid."""
    waiting: set[str] = field(default_factory=set[str])
    """Rows that the hub has not confirmed."""
    names: dict[str, str] = field(default_factory=dict[str, str])
    """By uid, for people; of runs they are looked up when they are needed."""

    def take(self, row: Row, *, waits: bool, name: str = "") -> None:
        """Note one row."""
        uid = row["uid"]
        self.rows.setdefault(bucket(uid), {})[uid] = digest(self.table, row)
        if waits:
            self.waiting.add(uid)
        if name:
            self.names[uid] = name

    @property
    def count(self) -> int:
        """How many rows there are."""
        return sum(len(rows) for rows in self.rows.values())


async def compared(
    target: AnyHub, store: Store, thread: StoreThread, done: Mapping[str, JsonValue]
) -> tuple[tuple[HubTable, ...], tuple[HubDifference, ...]]:
    """Every table on both sides, and the first differences of each. ``done`` is what the hub has confirmed.

    The hub is asked after the store, so that what is written meanwhile is no difference. Raises StoreError or
    ConnectorError.
    """
    tables: list[HubTable] = []
    differences: list[HubDifference] = []
    for here in await thread(_all_here, store, done):
        found, wrong = await _compare(target, here)
        tables.append(found)
        if here.table is JOB_STATUS:
            known = await thread(store.runs_by_uid, [uid for uid, _ in wrong[:_NAMED]])
            here.names = {
                uid: f"{run.job_name} ({run.instance}), run {run.native_run_id}, attempt {run.attempt}"
                for uid, run in known.items()
            }
        differences += [
            HubDifference.model_validate(
                {"table": here.table.name, "uid": uid, "name": here.names.get(uid, uid), "what": what}
            )
            for uid, what in wrong[:_NAMED]
        ]
    return tuple(tables), tuple(differences)


async def _compare(target: AnyHub, here: _Here) -> tuple[HubTable, list[tuple[str, str]]]:
    """Counts, and (uid, what is wrong with it) in order."""
    there = await target.sums(here.table)
    same = 0
    differing: list[str] = []
    for name in sorted(here.rows.keys() | there.keys()):
        rows = here.rows.get(name, {})
        if there.get(name, (0, "")) == (len(rows), checksum(rows.items())):
            same += len(rows)
        else:
            differing.append(name)
    counts = {"waiting": 0, "missing": 0, "different": 0, "doubled": 0, "more": 0}
    wrong: list[tuple[str, str]] = []
    held: dict[str, list[str]] = {}
    if any(name in there for name in differing):
        async for batch in target.digests(here.table, differing):
            for uid, said in batch:
                held.setdefault(uid, []).append(said)
    for uid, said in _each(here, differing):
        found = held.pop(uid, [])
        what = "doubled" if len(found) > 1 else "missing" if not found else "different"
        if found == [said]:
            same += 1
        elif uid in here.waiting and what != "doubled":
            counts["waiting"] += 1
        else:
            wrong.append((uid, what))
    wrong += [(uid, "doubled") for uid, found in held.items() if len(found) > 1]
    counts["more"] = sum(len(found) == 1 for found in held.values())
    for _, what in wrong:
        counts[what] += 1
    total = sum(count for count, _ in there.values())
    table = HubTable(table=here.table.name, here=here.count, there=total, same=same, **counts)
    return table, wrong


def _each(here: _Here, buckets: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in buckets:
        yield from sorted(here.rows.get(name, {}).items())


def _all_here(store: Store, done: Mapping[str, JsonValue]) -> list[_Here]:
    """All tables as the store knows them."""
    return [_runs(store, done), *_rounds(store, done), _incidents(store, done)]


def _runs(store: Store, done: Mapping[str, JsonValue]) -> _Here:
    here, at, confirmed = _Here(JOB_STATUS), RunsAt(), runs_at(done.get("runs"))
    while found := store.runs_behind(at, _EVER, _PAGE):
        for place, run in found:
            here.take(run_row(run), waits=place > confirmed)
        at = found[-1][0]
    return here


def _rounds(store: Store, done: Mapping[str, JsonValue]) -> tuple[_Here, _Here]:
    rounds, health = _Here(ROUNDS), _Here(HEALTH_ASSESSMENTS)
    after, confirmed = 0, number_at(done.get("rounds"))
    while found := store.rounds_behind(after, _EVER, _PAGE):
        for one in found:
            waits, name = one.number > confirmed, f"round {one.number}"
            row = round_row(one.number, one.started_at, one.ended_at, one.exit_code, one.body)
            rounds.take(row, waits=waits, name=name)
            for said in health_rows(one.number, one.started_at, one.body):
                health.take(said, waits=waits, name=f"{name}, {said['kind']} {said['scope']}")
        after = found[-1].number
    return rounds, health


def _incidents(store: Store, done: Mapping[str, JsonValue]) -> _Here:
    here = _Here(INCIDENTS)
    for incident in _behind(store, 0):
        here.take(incident_row(incident), waits=False, name=incident.name)
    here.waiting = {
        incident_row(incident)["uid"] for incident in _behind(store, number_at(done.get("incidents")))
    }
    return here


def _behind(store: Store, after: int) -> Iterator[Incident]:
    """Incidents to which something happened behind an event of the record; some of them several times."""
    while True:
        last, found = store.incidents_behind(after, _PAGE)
        if last == after:
            return
        yield from found
        after = last
