"""What can go wrong, sorted by who can fix it.

    DogwatchError
    ├── SettingsError          the user: fix the configuration
    ├── LabError               the author of an estate or scenario file
    ├── IncidentError          the user: there is no such incident, or it is not in a state for that
    ├── ConsentError           the user: nothing that waits for this consent
    ├── StoreError             the operator: disk, permissions, a newer schema
    ├── ChannelError           permanent: the user, the channel is switched off; else nobody: tried again
    └── ConnectorError
        ├── AuthError          the user: credentials or permissions
        ├── RateLimited        nobody: wait                           transient
        ├── Unreachable        nobody: try again                      transient
        └── UnexpectedAnswer   us: the platform answered something we do not know

Foreign exceptions are translated once, where they enter, and chained with ``from``.
Messages never contain a secret: the door scrubs them before they are raised.
"""

from typing import ClassVar

DATA_FAULTS = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
"""What hostile or absurd data can provoke beyond what is checked for."""


class DogwatchError(Exception):
    """Base of everything dogwatch raises. ``hint`` says what to do about it."""

    transient: ClassVar[bool] = False
    """Whether the same call may succeed later without anybody doing anything."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class SettingsError(DogwatchError):
    """The configuration is wrong; the message names the file and the key, the hint the fix."""


class LabError(DogwatchError):
    """An estate or scenario file is wrong; the message names file, line and the words allowed."""


class IncidentError(DogwatchError):
    """There is no such incident, or it is not in a state for what was asked."""


class ConsentError(DogwatchError):
    """No action waits for exactly this consent."""


class StoreError(DogwatchError):
    """The store cannot be read or written."""


class ChannelError(DogwatchError):
    """A message could not be delivered.

    ``permanent``: no message can be until somebody does something, so the channel is switched off.
    ``refused``: this one message will never be taken, others may be.
    ``retry_after``: seconds to wait, None if the channel does not say.
    ``ambiguous``: it may have arrived all the same, because the answer is missing.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        permanent: bool = False,
        refused: bool = False,
        retry_after: float | None = None,
        ambiguous: bool = False,
    ) -> None:
        super().__init__(message, hint)
        self.permanent = permanent
        self.refused = refused
        self.retry_after = retry_after
        self.ambiguous = ambiguous


class ConnectorError(DogwatchError):
    """A platform could not be read. ``status`` is the HTTP status if there was an answer."""

    def __init__(self, message: str, hint: str = "", *, status: int | None = None) -> None:
        super().__init__(message, hint)
        self.status = status


class AuthError(ConnectorError):
    """The platform refuses our credentials (usually 401), or lets us in and refuses the rest (usually 403).

    ``permission`` says which: True if a permission is missing. Left out, the status tells.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        status: int | None = None,
        permission: bool | None = None,
    ) -> None:
        super().__init__(message, hint, status=status)
        self.permission = status == 403 if permission is None else permission


class RateLimited(ConnectorError):
    """The platform asks us to wait; ``retry_after`` is in seconds, None if it does not say."""

    transient = True

    def __init__(
        self, message: str, hint: str = "", *, status: int | None = 429, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint, status=status)
        self.retry_after = retry_after


class Unreachable(ConnectorError):
    """No usable answer: refused, timed out, cut off, or a server error that outlived our retries.

    ``asked`` is False if it is certain that the request never arrived.
    """

    transient = True

    def __init__(
        self, message: str, hint: str = "", *, status: int | None = None, asked: bool = True
    ) -> None:
        super().__init__(message, hint, status=status)
        self.asked = asked


class UnexpectedAnswer(ConnectorError):
    """The platform answered, but not in a shape we know."""
