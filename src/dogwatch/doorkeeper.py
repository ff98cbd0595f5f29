"""Who may come in by web: makes and revokes tokens, opens and closes the sessions of browsers.

A token is ``dw_<id>_<secret>``, a session cookie and a link's ticket are as random. All of them are made here
and shown once; the store knows their hashes only. Comparing is a look-up by hash, so that how long it takes
tells nothing of a secret.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from dogwatch.errors import SettingsError
from dogwatch.model.door import Scope, Session, Token, TokenList
from dogwatch.store import Store, StoreThread
from dogwatch.wire.clock import Clock

SESSION = timedelta(hours=12)
"""A browser stays signed in for so long."""
TICKET = timedelta(minutes=15)
"""The link that `dogwatch serve` prints opens one session within so long."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_TOKEN = re.compile(r"dw_[0-9a-f]{8}_[A-Za-z0-9_-]{43}")


def digest(secret: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Doorkeeper:
    """Tokens and sessions of one store."""

    def __init__(self, store: Store, thread: StoreThread, clock: Clock, timezone: str) -> None:
        self._store = store
        self._thread = thread
        self._clock = clock
        self._timezone = timezone

    async def issue(
        self, name: str, scopes: Sequence[Scope], by: str, lasts: timedelta | None = None
    ) -> tuple[Token, str]:
        """A new token and its text, which nobody can see again. Raises SettingsError for an odd name."""
        if not _NAME.fullmatch(name):
            raise SettingsError(
                f"{name!r:.80} cannot be the name of a token's holder",
                "use letters, digits and . _ @ -, as under people: in policy.yaml",
            )
        now = self._clock.now()
        id_ = secrets.token_hex(4)
        text = f"dw_{id_}_{secrets.token_urlsafe(32)}"
        token = Token(
            id=id_,
            name=name,
            scopes=tuple(dict.fromkeys(scopes)),
            made_at=now,
            made_by=by,
            expires_at=None if lasts is None else now + lasts,
        )
        await self._thread(self._store.save_token, token, digest(text))
        return token, text

    async def tokens(self) -> TokenList:
        """All that were ever made."""
        found = await self._thread(self._store.tokens)
        return TokenList(at=self._clock.now(), timezone=self._timezone, tokens=tuple(found))

    async def guarded(self) -> bool:
        """Whether there is a token that opens anything."""
        now = self._clock.now()
        return any(token.live(now) for token in await self._thread(self._store.tokens))

    async def revoke(self, id_: str, by: str) -> None:
        """End a token. Raises SettingsError if none of this id lives."""
        if not await self._thread(self._store.revoke_token, id_, by, self._clock.now()):
            raise SettingsError(f"no token {id_!r:.40} lives", "dogwatch token")

    async def holder(self, text: str) -> Token | None:
        """Whose token this text is; None if it opens nothing."""
        if not _TOKEN.fullmatch(text):
            return None
        token = await self._thread(self._store.token_by_hash, digest(text))
        return token if token is not None and token.live(self._clock.now()) else None

    async def enter(
        self, name: str, scopes: Sequence[Scope], *, token: str = "", before: str | None = None
    ) -> tuple[Session, str]:
        """A new session and its cookie. ``before`` is the cookie that the browser brought: that session ends,
        so that nobody can be made to use one that somebody else knows."""
        now = self._clock.now()
        session = Session(
            token=token,
            name=name,
            scopes=tuple(scopes),
            csrf=secrets.token_hex(32),
            opened_at=now,
            expires_at=now + SESSION,
        )
        cookie = secrets.token_urlsafe(32)
        old = None if before is None else digest(before)
        await self._thread(self._store.open_session, session, digest(cookie), old)
        return session, cookie

    async def session(self, cookie: str) -> Session | None:
        """The session of a cookie, if it lasts."""
        return await self._thread(self._store.session, digest(cookie), self._clock.now())

    async def leave(self, cookie: str) -> None:
        """Sign a browser out."""
        await self._thread(self._store.close_session, digest(cookie))


class Ticket:
    """The right to open one session, once, soon: the link that the person at the machine sees."""

    def __init__(self, now: datetime) -> None:
        self.text = secrets.token_urlsafe(32)
        self._until = now + TICKET
        self._used = False

    def take(self, text: str, now: datetime) -> bool:
        """True for the right text, in time and once."""
        right = secrets.compare_digest(text.encode("utf-8", "replace"), self.text.encode())
        if not right or self._used or now >= self._until:
            return False
        self._used = True
        return True
