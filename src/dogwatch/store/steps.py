"""The steps of a round that a team makes: rows, so that whoever dies leaves nothing behind that is not told.

A step that is not done waits for somebody; who takes it writes down who it is. Whoever takes it over later is
the one whose result counts: what the other one still writes is refused, by the step's holder and by the
round's lease, which belongs to the round itself and not to a process.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import JsonValue

from dogwatch.errors import StoreError
from dogwatch.store import lease, schema
from dogwatch.store.access import ROUND, Access, StepKey
from dogwatch.store.dialects import insert

BEGIN, READ, CONCLUDE, ACT, FOLLOW, INVESTIGATE = "begin", "read", "conclude", "act", "follow", "investigate"
"""The kinds of steps; in this order they follow each other."""
MINE = "mine"
"""A share of what is read by a ``read`` that waits for all of them."""
LEASED = (READ, MINE, CONCLUDE, ACT)
"""Those that belong to the round: it is over for the next one when none of them waits."""
WAITING, PARKED, DONE, DROPPED = "waiting", "parked", "done", "dropped"
"""``parked``: it can be done once others are."""
_KEPT = 200
"""Rounds whose steps are remembered."""


@dataclass(frozen=True, slots=True)
class StepEnd:
    """What is written down when a step is done."""

    body: JsonValue = None
    """What the steps after it have to know."""
    then: Sequence[tuple[str, str]] = ()
    """(kind, about) of the steps that can be done now."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round is to do, as its first step wrote it down."""

    token: str
    """The name under which its steps hold the lease."""
    now: datetime
    asked: frozenset[str] | None
    """The connectors that are asked; None for all of them."""
    upto: int = 0
    """The last call from outside that it answers; 0 if none waited."""
    trace: str = ""
    """Its trace and the first span of that, as W3C Trace Context has them in ``traceparent``."""

    def body(self) -> dict[str, JsonValue]:
        """As it is stored."""
        asked: list[JsonValue] | None = None if self.asked is None else [*sorted(self.asked)]
        told: dict[str, JsonValue] = {"token": self.token, "now": self.now.isoformat(), "asked": asked}
        return {**told, "upto": self.upto, "trace": self.trace}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A step that somebody has to do."""

    key: StepKey
    tries: int
    """How often somebody began it."""
    began_at: datetime | None
    """When that was last."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that is ours now."""

    key: StepKey
    plan: Plan
    tries: int
    leads: bool
    """Whether the round's lease is ours as well."""
    before: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """What the steps before it told, by what they were about: of a conclusion all readings."""
    body: JsonValue = None
    """Of a share, what it is."""
    facts: dict[str, int] = field(default_factory=dict[str, int])
    """What its span tells of it; whoever does it fills them in."""


class Steps(Access):
    """The part of the store that holds steps."""

    def begin_steps(self, plan: Plan, after: int, names: Sequence[str]) -> int | None:
        """Begin a round if nobody makes one and none began since number ``after``; returns its number.

        ``names`` are the connectors that are to be read.
        """
        rounds, steps = schema.rounds, schema.steps
        with self._write() as connection:
            newest = connection.execute(sa.select(sa.func.max(rounds.c.id))).scalar() or 0
            if newest != after or lease.claim(connection, ROUND, plan.token, plan.now) is not None:
                return None
            made = connection.execute(rounds.insert().values(started_at=plan.now, body={}))
            key: Any = made.inserted_primary_key
            number = int(key[0])
            connection.execute(steps.delete().where(steps.c.round <= number - _KEPT))
            begun = {"state": DONE, "body": plan.body(), "began_at": plan.now, "ended_at": plan.now}
            connection.execute(insert(connection, steps), _row((number, BEGIN, ""), **begun))
            _add(connection, number, [(READ, name) for name in names] or [(CONCLUDE, "")])
        return number

    def waiting_steps(self) -> list[Waiting]:
        """What can be done now, the oldest round first."""
        steps = schema.steps
        told = (steps.c.round, steps.c.kind, steps.c.about, steps.c.tries, steps.c.began_at)
        query = sa.select(*told).where(steps.c.state == WAITING)
        with self._read() as connection:
            rows = connection.execute(query.order_by(steps.c.round, steps.c.kind, steps.c.about))
            return [Waiting((row.round, row.kind, row.about), row.tries, row.began_at) for row in rows]

    def take_step(self, key: StepKey, me: str, now: datetime) -> Taken | None:
        """Take a step, also from somebody who began it; None if it is done, or the round was given up.

        A round that lost its lease to another one, or after which another one began, is given up: what it
        would conclude is older than what is known.
        """
        steps = schema.steps
        with self._write() as connection:
            row = connection.execute(sa.select(steps).where(*_is(key))).one_or_none()
            if row is None or row.state != WAITING:
                return None
            told = connection.execute(sa.select(steps.c.body).where(*_is((key[0], BEGIN, "")))).scalar_one()
            plan = _plan(told)
            leads = key[1] in LEASED
            if leads and not _goes_on(connection, key[0], plan.token, now):
                _drop(connection, key[0])
                return None
            held = {"holder": me, "tries": row.tries + 1, "began_at": now}
            connection.execute(steps.update().where(*_is(key)).values(**held))
            return Taken(key, plan, row.tries + 1, leads, _before(connection, key), row.body)

    def share_out(self, shares: Sequence[JsonValue]) -> None:
        """What the ``read`` that this store was made for has to read is read in shares, by whoever has time;
        when all are done it goes on, as if nobody had begun it.

        Raises StoreError if somebody took it over.
        """
        assert self._step is not None
        number, _, about = self._step[0]
        steps = schema.steps
        with self._write() as connection:
            self._fence(connection)
            first = len(_shares(connection, number, about))
            rows = [
                _row((number, MINE, f"{about}/{first + place}"), body=share)
                for place, share in enumerate(shares)
            ]
            connection.execute(insert(connection, steps), rows)
            parked = {"state": PARKED, "holder": "", "tries": 0}
            connection.execute(steps.update().where(*_is(self._step[0])).values(**parked))

    def shares(self, number: int, about: str) -> list[StepKey]:
        """The shares of what is read of a connector in a round, in their order."""
        with self._read() as connection:
            return _shares(connection, number, about)

    def share(self, key: StepKey) -> JsonValue:
        """What was told of a share when it was done."""
        with self._read() as connection:
            told: JsonValue = connection.execute(sa.select(schema.steps.c.body).where(*_is(key))).scalar()
            return told

    def end_step(self, end: StepEnd, now: datetime) -> None:
        """The step that this store was made for is done. Raises StoreError if somebody took it over."""
        with self._write() as connection:
            self._fence(connection)
            self._end_step(connection, end, now)

    def _end_step(self, connection: sa.Connection, end: StepEnd, now: datetime) -> None:
        assert self._step is not None
        number, kind, about = self._step[0]
        steps = schema.steps
        done = {"state": DONE, "body": end.body, "ended_at": now}
        connection.execute(steps.update().where(*_is(self._step[0])).values(**done))
        if kind == CONCLUDE:  # what was read has been judged
            reads = sa.and_(steps.c.round == number, steps.c.kind == READ)
            connection.execute(steps.update().where(reads).values(body=None))
        if kind == ACT and self._holder is not None:  # nothing of the round is left
            lease.release(connection, ROUND, self._holder)
        then = list(end.then)
        open_reads = sa.select(sa.func.count()).where(
            steps.c.round == number, steps.c.kind == READ, steps.c.state.in_((WAITING, PARKED))
        )
        if kind == READ and not connection.execute(open_reads).scalar_one():
            then.append((CONCLUDE, ""))
        if kind == MINE:
            read = about.rpartition("/")[0]
            if not _shares(connection, number, read, WAITING):
                parked = sa.and_(*_is((number, READ, read)), steps.c.state == PARKED)
                connection.execute(steps.update().where(parked).values(state=WAITING))
        _add(connection, number, then)

    def drop_round(self, number: int) -> None:
        """Give up a round: the next one reads and judges the same. Its lease is free at once."""
        with self._write() as connection:
            told = sa.select(schema.steps.c.body).where(*_is((number, BEGIN, "")))
            lease.release(connection, ROUND, _plan(connection.execute(told).scalar_one()).token)
            _drop(connection, number)

    def last_rounds(self) -> tuple[int, datetime | None, datetime | None]:
        """The number of the newest round, when the last round of everything that ended began, and when the
        last of any kind ended."""
        rounds = schema.rounds
        ended = rounds.c.ended_at.is_not(None)
        whole = sa.select(rounds.c.started_at).where(ended, rounds.c.scope.is_(None))
        with self._read() as connection:
            newest = connection.execute(sa.select(sa.func.max(rounds.c.id))).scalar() or 0
            began = connection.execute(whole.order_by(rounds.c.id.desc()).limit(1)).scalar()
            last = sa.select(rounds.c.ended_at).where(ended).order_by(rounds.c.id.desc()).limit(1)
            return int(newest), began, connection.execute(last).scalar()

    def round_held(self, now: datetime) -> bool:
        """Whether somebody makes a round."""
        table = schema.leases
        held = sa.select(table.c.holder).where(table.c.name == ROUND, table.c.expires_at > now)
        with self._read() as connection:
            return connection.execute(held).first() is not None


def _row(key: StepKey, **values: object) -> dict[str, object]:
    number, kind, about = key
    fresh: dict[str, object] = {
        "state": WAITING,
        "holder": "",
        "tries": 0,
        "began_at": None,
        "ended_at": None,
    }
    return {"round": number, "kind": kind, "about": about, "body": None, **fresh, **values}


def _add(connection: sa.Connection, number: int, steps: Sequence[tuple[str, str]]) -> None:
    """Steps that can be done now; what is there already stays as it is."""
    rows = [_row((number, kind, about)) for kind, about in steps]
    if rows:
        statement = insert(connection, schema.steps)
        keys = ["round", "kind", "about"]
        connection.execute(statement.on_conflict_do_nothing(index_elements=keys), rows)


def _goes_on(connection: sa.Connection, number: int, token: str, now: datetime) -> bool:
    """Whether it is still the newest round; then its lease is kept, or taken again."""
    newest = connection.execute(sa.select(sa.func.max(schema.rounds.c.id))).scalar()
    if newest == number:
        return lease.claim(connection, ROUND, token, now) is None
    lease.release(connection, ROUND, token)
    return False


def _drop(connection: sa.Connection, number: int) -> None:
    steps = schema.steps
    ours = sa.and_(steps.c.round == number, steps.c.kind.in_(LEASED))
    waiting = sa.and_(ours, steps.c.state.in_((WAITING, PARKED)))
    connection.execute(steps.update().where(waiting).values(state=DROPPED))
    shares = sa.and_(ours, steps.c.kind == MINE)  # what was mined in vain is mined again
    connection.execute(steps.update().where(shares).values(body=None))


def _before(connection: sa.Connection, key: StepKey) -> dict[str, JsonValue]:
    """What the steps before this one told."""
    if key[1] in (READ, MINE):
        return {}
    steps, kind = schema.steps, READ if key[1] == CONCLUDE else CONCLUDE
    done = sa.and_(steps.c.round == key[0], steps.c.kind == kind, steps.c.state == DONE)
    rows = connection.execute(sa.select(steps.c.about, steps.c.body).where(done))
    return {str(row.about): row.body for row in rows}


def _shares(connection: sa.Connection, number: int, about: str, state: str | None = None) -> list[StepKey]:
    steps = schema.steps
    query = sa.select(steps.c.about).where(steps.c.round == number, steps.c.kind == MINE)
    if state is not None:
        query = query.where(steps.c.state == state)
    told = [str(row.about).rpartition("/") for row in connection.execute(query)]
    places = sorted(int(place) for name, _, place in told if name == about)
    return [(number, MINE, f"{about}/{place}") for place in places]


def _is(key: StepKey) -> tuple[sa.ColumnElement[bool], ...]:
    steps = schema.steps
    return steps.c.round == key[0], steps.c.kind == key[1], steps.c.about == key[2]


def _plan(body: dict[str, Any] | None) -> Plan:
    if body is None:
        raise StoreError("a round has lost its plan", "somebody removed rows of the table steps")
    asked = body["asked"]
    now = datetime.fromisoformat(body["now"])
    asked = None if asked is None else frozenset(asked)
    return Plan(body["token"], now, asked, int(body["upto"]), body.get("trace", ""))
