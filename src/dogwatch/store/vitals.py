"""Figures about the estate and about dogwatch itself, for those who draw curves of them."""

from dataclasses import dataclass, field, replace
from datetime import datetime

import sqlalchemy as sa

from dogwatch.model import ExpectationState
from dogwatch.store import schema
from dogwatch.store.access import Access

_RUNS = 2_000
"""The newest runs whose durations are counted."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was counted; instances are connectors by their names in dogwatch.yaml."""

    rounds: int = 0
    part_rounds: int = 0
    runs: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """(instance, status) -> attempts that began since."""
    open_runs: dict[str, int] = field(default_factory=dict[str, int])
    durations: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """Seconds that the newest runs took, by instance, ascending."""
    late: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds by which the latest expected run is behind, by instance."""
    missed: dict[str, int] = field(default_factory=dict[str, int])
    """Slots since that no run met."""
    incidents: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """(state, severity) -> incidents that are not over."""
    last_event: int = 0
    """Number of the last entry of the record."""


class Vitals(Access):
    """The part of the store that counts."""

    def figures(self, since: datetime, now: datetime) -> Figures:
        """Count what there is; runs and slots since then."""
        runs, slots, rounds = schema.runs.c, schema.expectations.c, schema.rounds.c
        incidents, number = schema.incidents.c, sa.func.count()
        took = (
            sa.select(runs.instance, runs.started_at, runs.ended_at)
            .where(runs.began_at > since, runs.ended_at.is_not(None), runs.started_at.is_not(None))
            .order_by(runs.began_at.desc())
            .limit(_RUNS)
        )
        lately = slots.scheduled_for > since
        late = sa.func.min(slots.scheduled_for, type_=schema.Moment)
        severity = incidents.body["severity"].as_string()
        found = Figures()
        with self._read() as connection:
            ask = connection.execute
            totals = ask(sa.select(rounds.scope.is_(None), number).group_by(rounds.scope.is_(None)))
            counts = {bool(row[0]): int(row[1]) for row in totals}
            begun = sa.select(runs.instance, runs.status, number).where(runs.began_at > since)
            for instance, status, count in ask(begun.group_by(runs.instance, runs.status)):
                found.runs[instance, status] = count
            going = sa.select(runs.instance, number).where(schema.OPEN).group_by(runs.instance)
            found.open_runs.update((row[0], row[1]) for row in ask(going))
            for instance, started, ended in ask(took):
                found.durations.setdefault(instance, []).append(max(0.0, (ended - started).total_seconds()))
            behind = sa.select(slots.instance, late).where(lately, slots.state == ExpectationState.late.value)
            for instance, at in ask(behind.group_by(slots.instance)):
                found.late[instance] = max(0.0, (now - at).total_seconds())
            absent = sa.select(slots.instance, number).where(
                lately, slots.state == ExpectationState.missed.value
            )
            found.missed.update((row[0], row[1]) for row in ask(absent.group_by(slots.instance)))
            live = sa.select(incidents.state, severity, number).where(incidents.resolved_at.is_(None))
            for state, grave, count in ask(live.group_by(incidents.state, severity)):
                found.incidents[state, grave] = count
            last = ask(sa.select(sa.func.max(schema.events.c.seq))).scalar() or 0
        for seconds in found.durations.values():
            seconds.sort()
        return replace(
            found, rounds=counts.get(True, 0), part_rounds=counts.get(False, 0), last_event=int(last)
        )
