"""What a hub is: tables in a warehouse of the user's that hold a copy of the audit trail. Hubs know this and
nothing of each other."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from dogwatch.errors import AuthError
from dogwatch.hub.tables import SCHEMA_VERSION, TABLES, VERSION_TABLE, VIEW, Kind, Table
from dogwatch.wire.http import Doors

S = TypeVar("S", bound=BaseModel)


class Hub(ABC, Generic[S]):
    """A place for the audit trail. One file, one database."""

    Settings: ClassVar[type[BaseModel]]
    title: ClassVar[str]
    """The database's name for people."""
    types: ClassVar[Mapping[Kind, str]]
    """What its columns are made of."""

    def __init__(self, settings: S, doors: Doors) -> None:
        """Opens nothing yet. Raises SettingsError for settings that cannot work."""
        self.settings = settings
        self.doors = doors

    @property
    @abstractmethod
    def place(self) -> str:
        """Where the tables are, for people and as the outbox knows it; the same as long as it is the same."""

    @abstractmethod
    def ddl(self) -> Sequence[str]:
        """Statements that make what is missing of schema, tables and view. They may be executed again."""

    @abstractmethod
    def grants(self) -> Sequence[str]:
        """Statements that give the configured role what it needs, and nothing else."""

    @abstractmethod
    async def version(self) -> int | None:
        """Of the tables that are there; None if nothing says. Raises ConnectorError."""

    @abstractmethod
    async def put(self, table: Table, document: str) -> None:
        """Write rows, a JSON array: all of them or none. A row that is there stays if it is newer. Raises
        ConnectorError."""

    @abstractmethod
    async def sums(self, table: Table) -> Mapping[str, tuple[int, str]]:
        """By bucket, how many rows there are and their checksum (see ``rows``). Raises ConnectorError."""

    @abstractmethod
    def digests(self, table: Table, buckets: Sequence[str]) -> AsyncIterator[Sequence[tuple[str, str]]]:
        """(uid, digest) of every row in these buckets. Raises ConnectorError."""

    async def aclose(self) -> None:
        """Give connections back."""

    @property
    def names(self) -> Sequence[str]:
        """Tables that are written, then those that are only read."""
        return (*(table.name for table in TABLES), VERSION_TABLE, VIEW)


AnyHub = Hub[Any]


def unfit(found: int | None) -> AuthError:
    """The tables there are not those that we write. Somebody with the right to has to make them."""
    said = "has no tables of dogwatch" if found is None else f"has the tables of schema version {found}"
    return AuthError(
        f"the hub {said}; this dogwatch writes version {SCHEMA_VERSION}",
        "dogwatch hub ddl prints the statements; run them as the owner of the schema",
        permission=True,
    )


def quoted(text: str) -> str:
    """As a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
