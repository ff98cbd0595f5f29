"""Tokens and browser sessions. Of a secret only its SHA-256 is kept: they are long and random, so nobody can
guess one from its hash, and a slow hash would only make every request slow."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dogwatch.model.door import Scope, Session, Tick, Token
from dogwatch.store import schema
from dogwatch.store.journal import Entry, Journal


class DoorBook(Journal):
    """The part of the store that knows who may come in."""

    def save_token(self, token: Token, secret_hash: str) -> None:
        """Remember a new token."""
        row = {
            "id": token.id,
            "secret": secret_hash,
            "name": token.name,
            "scopes": [scope.value for scope in token.scopes],
            "made_at": token.made_at,
            "made_by": token.made_by,
            "expires_at": token.expires_at,
        }
        detail: dict[str, Any] = {"name": token.name, "scopes": row["scopes"]}
        with self._write() as connection:
            connection.execute(schema.tokens.insert().values(**row))
            self._append(
                connection, [Entry(token.made_at, token.made_by, "token.made", f"token:{token.id}", detail)]
            )

    def tokens(self) -> list[Token]:
        """All that were ever made, the newest first."""
        query = sa.select(schema.tokens).order_by(schema.tokens.c.made_at.desc(), schema.tokens.c.id)
        with self._read() as connection:
            return [_token(row) for row in connection.execute(query).mappings()]

    def token_by_hash(self, secret_hash: str) -> Token | None:
        """The token with this hash, revoked or not."""
        query = sa.select(schema.tokens).where(schema.tokens.c.secret == secret_hash)
        with self._read() as connection:
            row = connection.execute(query).mappings().first()
            return None if row is None else _token(row)

    def revoke_token(self, id_: str, by: str, now: datetime) -> bool:
        """End a token and the sessions that were opened with it. False if there is none that lives."""
        table = schema.tokens
        with self._write() as connection:
            ended = connection.execute(
                table.update().where(table.c.id == id_, table.c.revoked_at.is_(None)).values(revoked_at=now)
            )
            if not ended.rowcount:
                return False
            connection.execute(schema.sessions.delete().where(schema.sessions.c.token == id_))
            self._append(connection, [Entry(now, by, "token.revoked", f"token:{id_}", {})])
            return True

    def open_session(self, session: Session, cookie_hash: str, old_hash: str | None = None) -> None:
        """Remember a session; the one that the browser had before, and all that are over, are forgotten."""
        table = schema.sessions
        with self._write() as connection:
            connection.execute(table.delete().where(table.c.expires_at <= session.opened_at))
            if old_hash is not None:
                connection.execute(table.delete().where(table.c.cookie == old_hash))
            connection.execute(
                table.insert().values(
                    cookie=cookie_hash,
                    token=session.token,
                    name=session.name,
                    scopes=[scope.value for scope in session.scopes],
                    csrf=session.csrf,
                    opened_at=session.opened_at,
                    expires_at=session.expires_at,
                )
            )
            who, via = f"user:{session.name}", session.token or "link"
            entry = Entry(session.opened_at, who, "session.opened", f"token:{via}", {})
            self._append(connection, [entry])

    def session(self, cookie_hash: str, now: datetime) -> Session | None:
        """The session of this cookie, if it lasts and its token lives."""
        table, tokens = schema.sessions, schema.tokens
        query = sa.select(table, tokens.c.revoked_at, tokens.c.expires_at.label("token_ends")).select_from(
            table.outerjoin(tokens, table.c.token == tokens.c.id)
        )
        with self._read() as connection:
            row = connection.execute(query.where(table.c.cookie == cookie_hash)).mappings().first()
        if row is None or row["expires_at"] <= now or row["revoked_at"] is not None:
            return None
        if row["token_ends"] is not None and row["token_ends"] <= now:
            return None
        return Session(
            token=row["token"],
            name=row["name"],
            scopes=_scopes(row["scopes"]),
            csrf=row["csrf"],
            opened_at=row["opened_at"],
            expires_at=row["expires_at"],
        )

    def close_session(self, cookie_hash: str) -> None:
        """Forget a session."""
        with self._write() as connection:
            connection.execute(schema.sessions.delete().where(schema.sessions.c.cookie == cookie_hash))

    def tick(self) -> Tick:
        """Another value whenever a round ended, or something was decided or done: what a page shows may have
        changed then, and not before."""
        rounds, events = schema.rounds, schema.events
        ended = sa.select(sa.func.max(rounds.c.id)).where(rounds.c.ended_at.is_not(None)).scalar_subquery()
        last = sa.select(sa.func.max(events.c.seq)).scalar_subquery()
        with self._read() as connection:
            row = connection.execute(sa.select(ended, last)).one()
        return Tick(row[0] or 0, row[1] or 0)


def _scopes(words: Sequence[str]) -> tuple[Scope, ...]:
    return tuple(Scope(word) for word in words)


def _token(row: Any) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        scopes=_scopes(row["scopes"]),
        made_at=row["made_at"],
        made_by=row["made_by"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
