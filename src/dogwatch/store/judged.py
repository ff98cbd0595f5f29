"""What rounds found out: findings, evidence, the ledger of runs that should exist, and when to look again."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dogwatch.model import Basis, Evidence, Expectation, ExpectationState, Finding, Job
from dogwatch.model.ledger import JobKey, Kept, Ledger, Look
from dogwatch.store import schema
from dogwatch.store.access import Access
from dogwatch.store.dialects import Bulk, insert
from dogwatch.store.rows import moment_text
from dogwatch.store.slots import SlotRow, slots_of

if TYPE_CHECKING:
    from dogwatch.store.dialects import Upsert

_REMEMBERED = timedelta(days=35)
"""Slots older than this are forgotten, but for missed ones."""
_MISSED_REMEMBERED = timedelta(days=400)
_CHUNK = 5_000
"""Keys in one IN list; SQLite allows 32,766 variables a statement."""
_EARLIER = 30
"""Slots from before the days judged again that a round looks back on, for each job."""


class Judged(Access):
    """The part of the store that rounds write at their end, all at once."""

    # ── findings and evidence ───────────────────────────────────────────────────────────────────────────

    def _save_findings(self, connection: sa.Connection, findings: Sequence[Finding], now: datetime) -> None:
        """Make these the open findings; what is no longer found is cleared."""
        table = schema.findings
        is_open = sa.select(table.c.fingerprint).where(table.c.cleared_at.is_(None))
        open_before = set(connection.execute(is_open).scalars())
        if findings:
            seen = moment_text(now)
            rows = [
                (one.fingerprint, one.rule, one.subject, one.model_dump_json(), seen, seen, None)
                for one in findings
            ]
            _SAVE_FINDINGS(connection, rows)
        cleared = sorted(open_before - {finding.fingerprint for finding in findings})
        if cleared:
            clearing = table.update().where(table.c.fingerprint == sa.bindparam("was"))
            connection.execute(clearing.values(cleared_at=now), [{"was": key} for key in cleared])

    def open_findings(self) -> list[Finding]:
        """What was wrong at the end of the last round."""
        table = schema.findings
        query = sa.select(table.c.body).where(table.c.cleared_at.is_(None)).order_by(table.c.fingerprint)
        with self._read() as connection:
            return [Finding.model_validate(body) for body in connection.execute(query).scalars()]

    def findings_like(
        self, prefix: str, limit: int = 20
    ) -> list[tuple[Finding, datetime, datetime, datetime | None]]:
        """Findings of any time whose fingerprint begins so: each with the rounds that saw it first and last,
        and the one that no longer did (None while it is open). The latest first."""
        table = schema.findings
        query = (
            sa.select(table.c.body, table.c.first_seen, table.c.last_seen, table.c.cleared_at)
            .where(table.c.fingerprint.startswith(prefix, autoescape=True))
            .order_by(table.c.last_seen.desc(), table.c.fingerprint)
            .limit(limit)
        )
        with self._read() as connection:
            return [
                (Finding.model_validate(row.body), row.first_seen, row.last_seen, row.cleared_at)
                for row in connection.execute(query)
            ]

    def _save_evidence(self, connection: sa.Connection, evidence: Sequence[Evidence]) -> None:
        if evidence:
            rows = [
                (item.id, item.subject, moment_text(item.at), item.model_dump_json()) for item in evidence
            ]
            _SAVE_EVIDENCE(connection, rows)

    def evidence(self, ids: Iterable[str]) -> list[Evidence]:
        """The facts with these ids; an id that resolves to nothing is left out."""
        table, wanted = schema.evidence, sorted(set(ids))
        found: list[Evidence] = []
        with self._read() as connection:
            for start in range(0, len(wanted), _CHUNK):
                query = sa.select(table.c.body).where(table.c.id.in_(wanted[start : start + _CHUNK]))
                found += [Evidence.model_validate(body) for body in connection.execute(query).scalars()]
        return found

    # ── what has to be looked at ────────────────────────────────────────────────────────────────────────

    def last_round(self) -> tuple[int, datetime | None]:
        """Number and beginning of the last round of everything that ended; (0, None) if none did. What rounds
        of a part have read is news to the next round of everything."""
        table = schema.rounds
        query = sa.select(table.c.id, table.c.started_at).where(
            table.c.ended_at.is_not(None), table.c.scope.is_(None)
        )
        with self._read() as connection:
            row = connection.execute(query.order_by(table.c.id.desc()).limit(1)).first()
        return (0, None) if row is None else (row.id, row.started_at)

    def changed_jobs(self, number: int) -> set[JobKey]:
        """Jobs of whose runs something new was recorded after that round."""
        table = schema.runs
        query = sa.select(table.c.instance, table.c.job_id).where(table.c.changed_in > number)
        with self._read() as connection:
            return {(row[0], row[1]) for row in connection.execute(query).all()}

    def edited_jobs(self, since: datetime) -> set[JobKey]:
        """Jobs that were first seen, or seen changed, or seen gone, after that moment."""
        table = schema.job_versions
        query = sa.select(table.c.instance, table.c.job_id).where(table.c.valid_from > since).distinct()
        with self._read() as connection:
            return {(row.instance, row.job_id) for row in connection.execute(query)}

    def open_jobs(self) -> set[JobKey]:
        """Jobs with a run that is not over."""
        table = schema.runs
        query = sa.select(table.c.instance, table.c.job_id).where(schema.OPEN)
        with self._read() as connection:
            return {(row.instance, row.job_id) for row in connection.execute(query)}

    def due_jobs(self, instances: Iterable[str], now: datetime) -> set[JobKey]:
        """Jobs of these instances whose time to be looked at has come."""
        table = schema.looks
        query = sa.select(table.c.instance, table.c.job_id).where(
            table.c.at <= now, table.c.instance.in_(sorted(instances))
        )
        with self._read() as connection:
            return {(row.instance, row.job_id) for row in connection.execute(query)}

    def looks(self) -> dict[JobKey, Look]:
        """When each job has to be looked at again, and its next slot."""
        with self._read() as connection:
            rows = connection.execute(sa.select(schema.looks)).all()
            return {(row.instance, row.job_id): Look(row.at, row.slot) for row in rows}

    # ── the ledger ──────────────────────────────────────────────────────────────────────────────────────

    def slots(
        self, jobs: Mapping[JobKey, Job], since: Mapping[str, datetime], earlier: int = _EARLIER
    ) -> dict[JobKey, list[Kept]]:
        """The slots written down of each job from its instance's ``since`` on, and the last ``earlier`` ones
        before, in order of time."""
        with self._read() as connection:
            rows = slots_of(connection, jobs, since, earlier)
        return {key: [_kept(row, jobs[key]) for row in told] for key, told in rows.items()}

    def _save_ledger(self, connection: sa.Connection, ledger: Ledger, now: datetime) -> None:
        table = schema.expectations
        if ledger.dropped:
            one = sa.and_(
                table.c.instance == sa.bindparam("i"),
                table.c.job_id == sa.bindparam("j"),
                table.c.scheduled_for == sa.bindparam("at"),
            )
            dropped = [{"i": key[0], "j": key[1], "at": at} for key, at in ledger.dropped]
            connection.execute(table.delete().where(one), dropped)
        rows = [_slot_row(kept) for kept in ledger.slots]
        if rows:
            statement = insert(connection, table)
            known = ["instance", "job_id", "scheduled_for"]
            values = {name: statement.excluded[name] for name in rows[0] if name not in known}
            connection.execute(statement.on_conflict_do_update(index_elements=known, set_=values), rows)
        missed = table.c.state == ExpectationState.missed.value
        old = sa.and_(table.c.scheduled_for < now - _REMEMBERED, sa.not_(missed))
        connection.execute(table.delete().where(old))
        connection.execute(table.delete().where(table.c.scheduled_for < now - _MISSED_REMEMBERED))
        self._save_looks(connection, ledger.looks)

    def _save_looks(self, connection: sa.Connection, looks: Mapping[JobKey, Look | None]) -> None:
        table = schema.looks
        over = [{"i": key[0], "j": key[1]} for key, look in looks.items() if look is None]
        if over:
            own = sa.and_(table.c.instance == sa.bindparam("i"), table.c.job_id == sa.bindparam("j"))
            connection.execute(table.delete().where(own), over)
        rows = [
            {"instance": key[0], "job_id": key[1], "at": look.at, "slot": look.slot}
            for key, look in looks.items()
            if look is not None
        ]
        if rows:
            statement = insert(connection, table)
            values = {name: statement.excluded[name] for name in ("at", "slot")}
            connection.execute(
                statement.on_conflict_do_update(index_elements=["instance", "job_id"], set_=values), rows
            )

    def _save_judged(self, connection: sa.Connection, instances: Sequence[str], now: datetime) -> None:
        table = schema.sources
        if instances:
            connection.execute(
                table.update().where(table.c.instance.in_(sorted(instances))).values(judged_until=now)
            )


def _slot_row(kept: Kept) -> dict[str, Any]:
    slot = kept.slot
    return {
        "instance": slot.instance,
        "job_id": slot.job_id,
        "scheduled_for": slot.scheduled_for,
        "basis": slot.basis.value,
        "confidence": slot.confidence,
        "not_before": slot.not_before,
        "start_by": slot.start_by,
        "finish_by": slot.finish_by,
        "state": slot.state.value,
        "run_uid": slot.run_uid,
        "reason": slot.reason,
        "told": int(kept.told),
    }


def _kept(row: SlotRow, job: Job) -> Kept:
    (
        instance,
        job_id,
        scheduled_for,
        basis,
        confidence,
        not_before,
        start_by,
        finish_by,
        state,
        uid,
        why,
        told,
    ) = row
    slot = Expectation(
        platform=job.platform,
        instance=instance,
        job_id=job_id,
        job_name=job.name,
        basis=Basis(basis),
        confidence=confidence,
        scheduled_for=scheduled_for,
        not_before=not_before,
        start_by=start_by,
        finish_by=finish_by,
        state=ExpectationState(state),
        run_uid=uid,
        reason=why,
    )
    return Kept(slot, bool(told))


def _finding(statement: "Upsert") -> "Upsert":
    """What is found again stays as old as it is, unless it was over meanwhile."""
    table, new = schema.findings, statement.excluded
    first = sa.case((table.c.cleared_at.is_(None), table.c.first_seen), else_=new.first_seen)
    return statement.on_conflict_do_update(
        index_elements=["fingerprint"],
        set_={
            "body": new.body,
            "first_seen": first,
            "last_seen": new.last_seen,
            "cleared_at": new.cleared_at,
        },
    )


_SAVE_FINDINGS = Bulk(schema.findings, _finding)
_SAVE_EVIDENCE = Bulk(schema.evidence, lambda statement: statement.on_conflict_do_nothing())
"""A storm brings ten thousand at a time."""
