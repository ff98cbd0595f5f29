"""Who may look and who may act by web: tokens, their scopes, and what the store shows as changed."""

from enum import StrEnum
from typing import Literal, NamedTuple

from dogwatch.model.base import Noun, UtcTime


class Scope(StrEnum):
    """What a token lets its holder do. None of them includes another."""

    read = "read"
    """Look at everything."""
    approve = "approve"
    """Consent to actions as far as the policy file lets this person; take incidents on, mute, note."""
    admin = "admin"
    """Stop everything and let it go on, start rounds, ask platforms whether they let us in."""


class Token(Noun):
    """What the store knows of a token: never the token itself."""

    id: str
    """Public; stands at the beginning of the token."""
    name: str
    """Whose it is: the person that the record and the policy file know."""
    scopes: tuple[Scope, ...]
    made_at: UtcTime
    made_by: str
    expires_at: UtcTime | None = None
    revoked_at: UtcTime | None = None

    def live(self, now: UtcTime) -> bool:
        """Whether it opens anything at that time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class TokenList(Noun):
    """The answer of ``dogwatch token``."""

    format: Literal["dogwatch.tokens/1"] = "dogwatch.tokens/1"
    at: UtcTime
    timezone: str
    tokens: tuple[Token, ...] = ()
    """The newest first, revoked ones too."""


class Session(Noun):
    """A browser that somebody signed in with. The cookie's value is known to that browser alone."""

    token: str
    """Id of the token it was opened with; empty if by the link that ``dogwatch serve`` prints."""
    name: str
    scopes: tuple[Scope, ...]
    csrf: str
    """What every change has to bring along."""
    opened_at: UtcTime
    expires_at: UtcTime


class Tick(NamedTuple):
    """Something else whenever a round ended, or something was decided or done."""

    round: int
    """Number of the last round that ended; 0 if none did."""
    event: int
    """Number of the last event in the record; 0 if there is none."""

    def __str__(self) -> str:
        return f"{self.round}.{self.event}"
