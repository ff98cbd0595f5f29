"""Incidents with every version they ever had, what they rest on, and the record of what was decided and done.

A version is compared and set: of two who change an incident at the same time one learns that it was too late.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dogwatch.errors import StoreError
from dogwatch.model import Evidence, Finding, Incident, IncidentState, Status, Turn
from dogwatch.store import schema
from dogwatch.store.dialects import Bulk, insert
from dogwatch.store.journal import Entry, Journal
from dogwatch.store.rows import moment_text

if TYPE_CHECKING:
    from dogwatch.store.dialects import Upsert

_LIVE = [state.value for state in IncidentState if state.live]
_GOOD = [status.value for status in Status if status.good]
_CHUNK = 300


class Outrun(StoreError):
    """Somebody else changed an incident meanwhile; look at it again."""


@dataclass(frozen=True, slots=True)
class Casebook:
    """What a round, or a person, writes down about incidents; all of it or nothing."""

    incidents: Sequence[Incident] = ()
    """Each with the version that a turn led to."""
    turns: Sequence[Turn] = ()
    findings: Mapping[int, Sequence[tuple[Finding, datetime | None]]] = field(
        default_factory=dict[int, Sequence[tuple[Finding, datetime | None]]]
    )
    """By incident, what belongs to it and since when it is no longer found (None while it is)."""
    evidence: Sequence[Evidence] = ()
    """Facts that incidents cite and findings do not."""


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents are wanted; None means any."""

    states: tuple[IncidentState, ...] = ()
    platform: str | None = None
    """The connector's name: incidents whose culprit or findings lie there."""
    since: datetime | None = None
    """Those that were live at or after this."""
    before: int | None = None
    """Those with a smaller number."""
    limit: int = 50


class Incidents(Journal):
    """The part of the store for incidents."""

    def live_incidents(self) -> list[Incident]:
        """All that somebody may have to do something about, the oldest first."""
        table = schema.incidents
        query = sa.select(table.c.body).where(table.c.state.in_(_LIVE)).order_by(table.c.number)
        with self._read() as connection:
            return [Incident.model_validate(body) for body in connection.execute(query).scalars()]

    def ended_incidents(self, since: datetime) -> list[Incident]:
        """Those that were resolved after a moment, and those that a person resolved while something of them
        was still found."""
        table = schema.incidents
        found = sa.func.json_array_length(table.c.body["active"]) > 0
        query = (
            sa.select(table.c.body)
            .where(table.c.state == IncidentState.resolved.value)
            .where(sa.or_(table.c.resolved_at >= since, found))
            .order_by(table.c.number)
        )
        with self._read() as connection:
            return [Incident.model_validate(body) for body in connection.execute(query).scalars()]

    def incidents(self, wanted: IncidentFilter) -> list[Incident]:
        """Incidents by filter, the newest first."""
        table, parts = schema.incidents, schema.incident_findings
        query = sa.select(table.c.body).order_by(table.c.number.desc()).limit(wanted.limit)
        if wanted.states:
            query = query.where(table.c.state.in_([state.value for state in wanted.states]))
        if wanted.before is not None:
            query = query.where(table.c.number < wanted.before)
        if wanted.since is not None:
            live = table.c.state.in_(_LIVE)
            query = query.where(sa.or_(live, table.c.resolved_at >= wanted.since))
        if wanted.platform is not None:
            there = sa.or_(
                parts.c.subject == wanted.platform,
                parts.c.subject.startswith(f"{wanted.platform}/", autoescape=True),
            )
            query = query.where(sa.exists().where(parts.c.number == table.c.number, there))
        with self._read() as connection:
            return [Incident.model_validate(body) for body in connection.execute(query).scalars()]

    def incident(self, number: int) -> Incident | None:
        """One incident as it is now; None if there is none with this number."""
        table = schema.incidents
        query = sa.select(table.c.body).where(table.c.number == number)
        with self._read() as connection:
            body = connection.execute(query).scalar()
            return None if body is None else Incident.model_validate(body)

    def next_incident(self) -> int:
        """The number of the next one."""
        query = sa.select(sa.func.max(schema.incidents.c.number))
        with self._read() as connection:
            return (connection.execute(query).scalar() or 0) + 1

    def turns(self, number: int) -> list[Turn]:
        """What happened to an incident, in order."""
        table = schema.incident_turns
        query = sa.select(table).where(table.c.number == number).order_by(table.c.version)
        with self._read() as connection:
            rows = connection.execute(query).mappings()
            return [Turn.model_validate({key: row[key] for key in row if key != "body"}) for row in rows]

    def incident_versions(self, number: int) -> list[Incident]:
        """Every state that an incident was in, the oldest first."""
        table = schema.incident_turns
        query = sa.select(table.c.body).where(table.c.number == number).order_by(table.c.version)
        with self._read() as connection:
            return [Incident.model_validate(body) for body in connection.execute(query).scalars()]

    def incident_findings(self, numbers: Iterable[int]) -> dict[int, list[tuple[Finding, datetime | None]]]:
        """By incident, its findings as they were last seen, and since when each is no longer found."""
        table = schema.incident_findings
        found: dict[int, list[tuple[Finding, datetime | None]]] = {}
        wanted = sorted(set(numbers))
        with self._read() as connection:
            for start in range(0, len(wanted), _CHUNK):
                query = sa.select(table.c.number, table.c.body, table.c.cleared_at).where(
                    table.c.number.in_(wanted[start : start + _CHUNK])
                )
                for row in connection.execute(query.order_by(table.c.number, table.c.fingerprint)):
                    finding = Finding.model_validate(row.body)
                    found.setdefault(row.number, []).append((finding, row.cleared_at))
        return found

    def kept_findings(
        self, numbers: Sequence[int], found: Mapping[str, Finding]
    ) -> tuple[set[tuple[int, str]], list[tuple[Finding, datetime | None]]]:
        """Of the findings of these incidents: (number, fingerprint) of those that are stored just as they are
        ``found`` (by fingerprint), and those that are not found, with since when."""
        table = schema.incident_findings
        columns = (table.c.number, table.c.fingerprint, table.c.body, table.c.cleared_at)
        same: set[tuple[int, str]] = set()
        over: list[tuple[Finding, datetime | None]] = []
        with self._read() as connection:
            for start in range(0, len(numbers), _CHUNK):
                query = sa.select(*columns).where(table.c.number.in_(numbers[start : start + _CHUNK]))
                for number, key, body, cleared in connection.execute(query.order_by(*columns[:2])):
                    finding = found.get(key)
                    if finding is None:
                        over.append((Finding.model_validate(body), cleared))
                    elif cleared is None and _is_as_stored(finding, body):
                        same.add((number, key))
        return same, over

    def incident_evidence(self, number: int) -> list[Evidence]:
        """Every fact that an incident cites or ever cited, the oldest first. It is kept with the incident."""
        cited, table = schema.citations, schema.evidence
        query = (
            sa.select(table.c.body)
            .join(cited, cited.c.evidence == table.c.id)
            .where(cited.c.number == number)
            .order_by(table.c.at, table.c.id)
        )
        with self._read() as connection:
            return [Evidence.model_validate(body) for body in connection.execute(query).scalars()]

    def last_good(self, instances: Iterable[str], since: datetime) -> dict[str, datetime]:
        """By subject, when a job of these instances last ended well, of those that began after ``since``."""
        table = schema.runs
        ended = sa.func.max(table.c.ended_at, type_=schema.Moment)
        query = (
            sa.select(table.c.instance, table.c.job_id, ended)
            .where(table.c.instance.in_(sorted(instances)), table.c.began_at >= since)
            .where(table.c.status.in_(_GOOD), table.c.ended_at.is_not(None))
            .group_by(table.c.instance, table.c.job_id)
        )
        with self._read() as connection:
            return {f"{row[0]}/{row[1]}": row[2] for row in connection.execute(query).all()}

    def save_incidents(self, book: Casebook) -> None:
        """Write down what a person decided. Raises Outrun if an incident has changed meanwhile."""
        with self._write() as connection:
            self._save_incidents(connection, book)

    def _save_incidents(self, connection: sa.Connection, book: Casebook) -> None:
        bodies = {incident.number: incident for incident in book.incidents}
        for turn in book.turns:
            self._turn(connection, bodies[turn.number], turn)
        self._keep(connection, book)
        self._append(
            connection,
            [
                Entry(
                    turn.at,
                    turn.actor,
                    f"incident.{turn.kind.value}",
                    f"INC-{turn.number}",
                    {
                        "version": turn.version,
                        "was": turn.was.value if turn.was else None,
                        "state": turn.state.value,
                        "why": turn.why,
                    },
                )
                for turn in book.turns
            ],
        )

    def _turn(self, connection: sa.Connection, incident: Incident, turn: Turn) -> None:
        """Compare and set: the version before the turn has to be the one that is stored."""
        table, body = schema.incidents, incident.model_dump(mode="json")
        row = {
            "key": incident.key,
            "state": incident.state.value,
            "culprit": incident.culprit,
            "opened_at": incident.opened_at,
            "resolved_at": incident.resolved_at,
            "version": incident.version,
            "body": body,
        }
        if turn.version == 1:
            new = insert(connection, table).values(number=incident.number, **row)
            done = connection.execute(new.on_conflict_do_nothing()).rowcount
        else:
            was = table.update().where(table.c.number == incident.number, table.c.version == turn.version - 1)
            done = connection.execute(was.values(**row)).rowcount
        if done != 1:
            raise Outrun(
                f"{incident.name} was changed by somebody else meanwhile", "look at it again and repeat"
            )
        connection.execute(
            schema.incident_turns.insert().values(**{**turn.model_dump(mode="python"), "body": body})
        )

    def _keep(self, connection: sa.Connection, book: Casebook) -> None:
        """What incidents rest on, as last seen: copies of findings, and which evidence they cite."""
        rows = [
            (number, one.fingerprint, one.subject, one.model_dump_json(), moment_text(cleared))
            for number, parts in sorted(book.findings.items())
            for one, cleared in parts
        ]
        if rows:
            _KEEP(connection, rows)
        cited = {
            (number, id_)
            for number, parts in book.findings.items()
            for finding, _ in parts
            for id_ in finding.evidence
        }
        for incident in book.incidents:
            cited |= {(incident.number, id_) for id_ in incident.cites}
        if cited:
            connection.execute(
                insert(connection, schema.citations).on_conflict_do_nothing(),
                [{"number": number, "evidence": id_} for number, id_ in sorted(cited)],
            )


def _is_as_stored(finding: Finding, body: Mapping[str, object]) -> bool:
    """Whether the copy of a finding says what it says now."""
    return (finding.summary, list(finding.evidence), finding.severity, finding.muted) == (
        body["summary"],
        body["evidence"],
        body["severity"],
        body.get("muted", ""),
    )


def _kept(statement: "Upsert") -> "Upsert":
    new = {name: statement.excluded[name] for name in ("subject", "body", "cleared_at")}
    return statement.on_conflict_do_update(index_elements=["number", "fingerprint"], set_=new)


_KEEP = Bulk(schema.incident_findings, _kept)
