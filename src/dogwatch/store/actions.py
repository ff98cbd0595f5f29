"""Actions: proposed, consented to, begun, found out; each step compared and set, each in the record.

Consent is a step like any other: it names the digest of the exact action, is taken once, and not after its
time. Whoever begins an action has claimed it first, while nothing was halted; of several one does.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dogwatch.errors import ConsentError
from dogwatch.model import Action, ActionState
from dogwatch.model.text import one_line
from dogwatch.store import schema
from dogwatch.store.journal import Entry, Journal

_HALT = "halt"


class Actions(Journal):
    """The part of the store for actions."""

    def propose(self, actions: Sequence[Action]) -> list[Action]:
        """Write down new proposals, each decided by policy already. One whose digest is alive, was rejected
        by a person, or was refused before in the same words is not written again. Returns those that were,
        with their ids."""
        table, kept = schema.actions, list[Action]()
        with self._write() as connection:
            for action in actions:
                known = connection.execute(
                    sa.select(table.c.state, table.c.body)
                    .where(table.c.digest == action.digest)
                    .order_by(table.c.number.desc())
                ).all()
                if known and _settled(ActionState(known[0].state), known[0].body["why"], action):
                    continue
                number = (connection.execute(sa.select(sa.func.max(table.c.number))).scalar() or 0) + 1
                made = action.model_copy(update={"id": f"{action.digest[:10]}-{number}", "version": 1})
                connection.execute(table.insert().values(number=number, **_row(made)))
                self._told(connection, made, made.proposed_by, "proposed", made.proposed_at, made.why)
                if made.state is not ActionState.proposed:
                    self._told(connection, made, "policy", made.state.value, made.proposed_at, made.why)
                kept.append(made)
        return kept

    def action(self, id_: str) -> Action | None:
        """One action by its id or an unambiguous beginning of it."""
        if not id_:
            return None
        table = schema.actions
        query = sa.select(table.c.body).where(table.c.id.startswith(id_, autoescape=True)).limit(2)
        with self._read() as connection:
            found = list(connection.execute(query).scalars())
        return Action.model_validate(found[0]) if len(found) == 1 else None

    def actions(
        self,
        *,
        states: Sequence[ActionState] = (),
        incident: int | None = None,
        since: datetime | None = None,
        limit: int = 200,
    ) -> list[Action]:
        """Actions by filter, the newest proposal first."""
        table = schema.actions
        query = sa.select(table.c.body).order_by(table.c.number.desc()).limit(limit)
        if states:
            query = query.where(table.c.state.in_([state.value for state in states]))
        if incident is not None:
            query = query.where(table.c.incident == incident)
        if since is not None:
            query = query.where(sa.or_(table.c.proposed_at >= since, table.c.began_at >= since))
        with self._read() as connection:
            return [Action.model_validate(body) for body in connection.execute(query).scalars()]

    def consent(
        self, id_: str, digest: str, by: str, now: datetime, *, yes: bool, via: str, why: str = ""
    ) -> Action:
        """Take a person's decision on the exact action with this digest, once.

        Raises ConsentError if there is no such action, the digest is of another, its time is over, or it has
        been decided; every refusal is in the record.
        """
        with self._write() as connection:
            action = self._one(connection, id_)
            problem = _unfit(action, digest, now)
            if problem:
                self._append(connection, [_refusal(id_, by, now, problem, via)])
            else:
                assert action is not None
                state = ActionState.approved if yes else ActionState.rejected
                said = why or f"{by.removeprefix('user:')} {'approved' if yes else 'rejected'} it by {via}"
                changed = {"state": state, "decided_by": by, "decided_at": now, "why": said}
                done = self._move(connection, action, changed)
                self._told(connection, done, by, state.value, now, said, via=via)
                return done
        raise ConsentError(problem, "dogwatch actions")

    def refuse_consent(self, id_: str, by: str, now: datetime, *, why: str, via: str) -> None:
        """Record that somebody's consent was not taken."""
        with self._write() as connection:
            self._append(connection, [_refusal(id_, by, now, why, via)])

    def begun(self) -> int:
        """How many actions were ever begun; whoever weighs bounds hands it to ``claim_action``."""
        with self._read() as connection:
            return self._begun(connection)

    def claim_action(
        self, action: Action, by: str, now: datetime, *, begun: int | None = None
    ) -> Action | None:
        """Begin an approved action: of several who try, one gets it, and the same is not done twice at a time
        on one job. None if it is not to be had, if everything is halted, or if another action was begun since
        ``begun`` was counted: then bounds have to be weighed again."""
        with self._write() as connection:
            if begun is not None and self._begun(connection) != begun:
                return None
            known = self._one(connection, action.id)
            if known is None or known.version != action.version or known.state is not ActionState.approved:
                return None
            if self._halted(connection) or self._going(connection, known):
                return None
            if now >= known.expires_at:
                done = self._move(connection, known, {"state": ActionState.expired, "ended_at": now})
                self._told(connection, done, "policy", "expired", now, "consent was not used in time")
                return None
            done = self._move(connection, known, {"state": ActionState.claimed, "began_at": now})
            self._told(connection, done, by, "claimed", now, "")
            return done

    def reclaim_action(self, action: Action, by: str, now: datetime) -> Action | None:
        """Take over an action from a process that died while performing it; ``began_at`` stays. None if
        somebody was quicker, or if everything is halted."""
        with self._write() as connection:
            known = self._one(connection, action.id)
            if known is None or known.version != action.version or known.state is not ActionState.claimed:
                return None
            if self._halted(connection):
                return None
            done = self._move(connection, known, {})
            why = "the process that began it died; done again with the same key"
            self._told(connection, done, by, "reclaimed", now, why)
            return done

    def _begun(self, connection: sa.Connection) -> int:
        query = sa.select(sa.func.count()).where(schema.actions.c.began_at.is_not(None))
        return connection.execute(query).scalar_one()

    def _going(self, connection: sa.Connection, action: Action) -> bool:
        """Whether the same verb is under way on the same job."""
        table = schema.actions
        query = sa.select(table.c.body).where(
            table.c.target == action.target,
            table.c.state.in_([state.value for state in ActionState if state.under_way]),
        )
        return any(body["verb"] == action.verb for body in connection.execute(query).scalars())

    def settle_action(
        self, action: Action, state: ActionState, now: datetime, *, by: str, why: str, **more: Any
    ) -> Action | None:
        """The next state of an action, if nobody was quicker; None if somebody was."""
        with self._write() as connection:
            known = self._one(connection, action.id)
            if known is None or known.version != action.version:
                return None
            ended = {"ended_at": now} if state.over else {}
            done = self._move(connection, known, {"state": state, "why": why, **ended, **more})
            self._told(connection, done, by, state.value, now, why)
            return done

    def halt(self, by: str, now: datetime, *, off: bool = False) -> None:
        """Stop everything, everywhere at once; or let it go on."""
        table = schema.switches
        with self._write() as connection:
            connection.execute(table.delete().where(table.c.name == _HALT))
            if not off:
                connection.execute(table.insert().values(name=_HALT, by=by, at=now))
            self._append(connection, [Entry(now, by, "halt.off" if off else "halt.on", "everything", {})])

    def halted(self) -> tuple[str, datetime] | None:
        """Who stopped everything and when; None if nobody did."""
        with self._read() as connection:
            return self._halted(connection)

    def _halted(self, connection: sa.Connection) -> tuple[str, datetime] | None:
        table = schema.switches
        row = connection.execute(sa.select(table.c.by, table.c.at).where(table.c.name == _HALT)).first()
        return None if row is None else (row.by, row.at)

    def _one(self, connection: sa.Connection, id_: str) -> Action | None:
        table = schema.actions
        body = connection.execute(sa.select(table.c.body).where(table.c.id == id_)).scalar()
        return None if body is None else Action.model_validate(body)

    def _move(self, connection: sa.Connection, was: Action, changed: Mapping[str, Any]) -> Action:
        action = was.model_copy(update={**changed, "version": was.version + 1})
        table = schema.actions
        connection.execute(table.update().where(table.c.id == was.id).values(**_row(action)))
        return action

    def _told(
        self,
        connection: sa.Connection,
        action: Action,
        actor: str,
        kind: str,
        at: datetime,
        why: str,
        via: str = "",
    ) -> None:
        detail: dict[str, Any] = {
            "digest": action.digest,
            "connector": action.connector,
            "verb": action.verb,
            "target": action.target,
            "incident": action.incident,
            "why": why,
        }
        if via:
            detail["via"] = via
        self._append(connection, [Entry(at, actor, f"action.{kind}", action.id, detail)])


def _refusal(id_: str, by: str, now: datetime, why: str, via: str) -> Entry:
    return Entry(now, one_line(by, 80), "consent.refused", one_line(id_, 80), {"why": why, "via": via})


def _settled(was: ActionState, why: str, action: Action) -> bool:
    """Whether proposing the very same again would tell nobody anything new."""
    return not was.over or was is ActionState.rejected or (was is action.state and why == action.why)


def _unfit(action: Action | None, digest: str, now: datetime) -> str:
    """Why consent to this cannot be taken; empty if it can."""
    if action is None:
        return "there is no such action"
    if digest != action.digest:
        return "this consent is to another action: the digest differs"
    if action.state is not ActionState.waiting:
        return f"{action.id} does not wait for consent: it is {action.state.value.replace('_', ' ')}"
    if now >= action.expires_at:
        return f"{action.id} has expired"
    return ""


def _row(action: Action) -> dict[str, Any]:
    return {
        "id": action.id,
        "digest": action.digest,
        "incident": action.incident,
        "target": action.target,
        "state": action.state.value,
        "version": action.version,
        "proposed_at": action.proposed_at,
        "began_at": action.began_at,
        "body": action.model_dump(mode="json"),
    }
