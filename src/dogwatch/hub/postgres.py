"""The audit trail in PostgreSQL 12 or newer, through psycopg 3: a batch is one INSERT of one bound JSON
document, atomic by itself."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict, Field, SecretStr, model_validator

from dogwatch.errors import AuthError, ConnectorError, SettingsError, UnexpectedAnswer, Unreachable
from dogwatch.hub.base import Hub, quoted, unfit
from dogwatch.hub.tables import JOB_STATUS, SCHEMA_VERSION, TABLES, VERSION_TABLE, VIEW, Column, Kind, Table
from dogwatch.model.described import Described
from dogwatch.model.text import one_line
from dogwatch.wire.account import IDENTIFIER
from dogwatch.wire.http import Doors

if TYPE_CHECKING:
    import psycopg

_CONNECT = 10
"""Seconds to wait for a server that does not answer."""
_LONGEST = 60.0
"""Seconds after which a statement is given up, by the server; we wait a little longer."""
_AT_ONCE = 5_000
_NO_RIGHT = "42501"
_NO_TABLES = frozenset({"42P01", "3F000", "42703"})
"""No such table, schema or column."""
_GRANT = "dogwatch hub ddl prints the tables and the grants; run them as the owner of the schema"


class PostgresHubSettings(Described):
    """Where the tables are, and how to get there."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    url: SecretStr
    """The database, as postgresql://user:password@host:5432/database?sslmode=verify-full. Needs pip install
    "dogwatch[postgres]"."""
    schema_name: str = Field(default="audit_job_hub", alias="schema")
    """The schema of the tables."""
    role: str | None = None
    """The role that writes, if it is another one than the user: SELECT, INSERT and UPDATE on the tables,
    USAGE on the schema. dogwatch hub ddl prints the grants."""

    @model_validator(mode="after")
    def _plain_names(self) -> "PostgresHubSettings":
        for key, name in (("schema", self.schema_name), ("role", self.role or "x")):
            if not IDENTIFIER.fullmatch(name) or "$" in name:
                raise ValueError(f"{key} is not a plain name: letters, digits and _ only")
        return self


class PostgresHub(Hub[PostgresHubSettings]):
    """Tables in one schema of one database."""

    Settings = PostgresHubSettings
    title = "PostgreSQL"
    types: ClassVar[Mapping[Kind, str]] = {
        "text": "text",
        "int": "bigint",
        "time": "timestamptz",
        "flag": "boolean",
        "json": "jsonb",
    }

    def __init__(self, settings: PostgresHubSettings, doors: Doors) -> None:
        super().__init__(settings, doors)
        try:
            import psycopg
            from psycopg.conninfo import conninfo_to_dict
        except ImportError as error:
            raise SettingsError(
                "a hub in PostgreSQL needs the extra 'postgres'", 'pip install "dogwatch[postgres]"'
            ) from error
        url = settings.url.get_secret_value()
        doors.secrets.add(url)
        try:
            self._where: Mapping[str, Any] = conninfo_to_dict(url)
        except psycopg.Error:
            raise SettingsError(
                "hub.url is not an address of PostgreSQL", "write it as postgresql://user@host:5432/database"
            ) from None
        if password := self._where.get("password"):
            doors.secrets.add(str(password))
        self._connection: psycopg.AsyncConnection[Any] | None = None

    @property
    def place(self) -> str:
        """``postgres host:port/database.schema``."""
        where = self._where
        server = f"{where.get('host', 'localhost')}:{where.get('port', 5432)}"
        return f"postgres {server}/{where.get('dbname', where.get('user', ''))} {self._schema}"

    @property
    def _schema(self) -> str:
        return self.settings.schema_name.lower()

    def _name(self, name: str) -> str:
        return f"{self._schema}.{name.lower()}"

    def ddl(self) -> Sequence[str]:
        """Schema, tables with a comment on every column, view, version."""
        version, status = self._name(VERSION_TABLE), self._name(JOB_STATUS.name)
        view = (
            f"create or replace view {self._name(VIEW)} as\n"
            f"select distinct on (instance, job_id) * from {status}\n"
            "order by instance, job_id, last_run_time desc, attempt desc"
        )
        columns = "version bigint primary key, installed_at timestamptz not null"
        installed = f"insert into {version} values ({SCHEMA_VERSION}, now()) on conflict do nothing"
        return [
            f"create schema if not exists {self._schema}",
            *(said for table in TABLES for said in self._create(table)),
            view,
            f"create table if not exists {version} ({columns})",
            installed,
        ]

    def _create(self, table: Table) -> list[str]:
        name = self._name(table.name)
        lines = [
            f"  {column.name} {self.types[column.kind]}{' primary key' if at == 0 else ''}"
            for at, column in enumerate(table.columns)
        ]
        inner = ",\n".join(lines)
        return [
            f"create table if not exists {name} (\n{inner}\n)",
            f"comment on table {name} is {quoted(table.about)}",
            *(
                f"comment on column {name}.{column.name} is {quoted(column.about)}"
                for column in table.columns
            ),
        ]

    def grants(self) -> Sequence[str]:
        """No DELETE: what is on record can be corrected by newer states, and not removed."""
        role = self.settings.role or str(self._where.get("user", "dogwatch"))
        role = role if IDENTIFIER.fullmatch(role) else '"' + role.replace('"', '""') + '"'
        return [
            f"grant usage on schema {self._schema} to {role}",
            *(f"grant select, insert, update on {self._name(one.name)} to {role}" for one in TABLES),
            f"grant select on {self._name(VERSION_TABLE)}, {self._name(VIEW)} to {role}",
        ]

    async def version(self) -> int | None:
        """The newest one that was installed."""
        try:
            rows = await self._all(f"select max(version) from {self._name(VERSION_TABLE)}")
        except AuthError as error:
            if error.permission:
                raise unfit(None) from error
            raise
        found: int | None = rows[0][0]
        return found

    async def put(self, table: Table, document: str) -> None:
        """One INSERT … ON CONFLICT."""
        await self._all(self.upsert(table), [document])

    def upsert(self, table: Table) -> str:
        """The statement; the document is bound to its parameter."""
        names = [column.name for column in table.columns]
        typed = ", ".join(f"{column.name} {self.types[column.kind]}" for column in table.columns)
        given = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
        new, old = (", ".join(f"{side}.{name}" for name in table.newer) for side in ("excluded", "t"))
        return (
            f"insert into {self._name(table.name)} as t ({', '.join(names)})\n"
            f"select {', '.join(names)} from json_to_recordset(%s::json) as r({typed})\n"
            f"on conflict (uid) do update set {given}\n"
            f"where ({new}) >= ({old})"
        )

    async def sums(self, table: Table) -> Mapping[str, tuple[int, str]]:
        """One statement, whatever the number of rows."""
        rows = await self._all(
            f"select left(uid, 2), count(*), md5(string_agg({_digest(table)}, '' order by uid collate \"C\"))"
            f" from {self._name(table.name)} group by 1"
        )
        return {bucket: (count, said) for bucket, count, said in rows}

    async def digests(self, table: Table, buckets: Sequence[str]) -> AsyncIterator[Sequence[tuple[str, str]]]:
        """In pages, by the key."""
        last = ""
        statement = (
            f"select uid, {_digest(table)} from {self._name(table.name)}"
            f" where uid > %s and left(uid, 2) = any(%s) order by uid limit {_AT_ONCE}"
        )
        while rows := await self._all(statement, [last, list(buckets)]):
            yield [(uid, said) for uid, said in rows]
            last = rows[-1][0]

    async def _all(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of one statement, which is a transaction of its own."""
        import psycopg

        try:
            async with asyncio.timeout(_LONGEST + _CONNECT + 5.0):
                connection = await self._connected()
                cursor = await connection.execute(statement.encode(), list(values) or None)
                return await cursor.fetchall() if cursor.description else []
        except (psycopg.Error, OSError, TimeoutError) as error:
            await self.aclose()
            raise self._translated(error) from None

    async def _connected(self) -> "psycopg.AsyncConnection[Any]":
        from psycopg import AsyncConnection
        from psycopg.conninfo import make_conninfo

        if self._connection is None:
            options = f"-c statement_timeout={int(_LONGEST * 1000)} -c timezone=UTC"
            given = {"connect_timeout": _CONNECT, "application_name": "dogwatch", **self._where}
            given["options"] = f"{given.get('options', '')} {options}".strip()
            where = make_conninfo("", **given)
            self._connection = await AsyncConnection.connect(where, autocommit=True)
            if self.settings.role is not None:
                await self._connection.execute(f"set role {self.settings.role}".encode())
        return self._connection

    def _translated(self, error: Exception) -> ConnectorError:
        """What went wrong, in our words. What the server says beyond its first line may quote data."""
        diag = getattr(error, "diag", None)
        state = getattr(error, "sqlstate", None) or ""
        said = getattr(diag, "message_primary", None) or (str(error).splitlines() or [""])[0]
        what = f"PostgreSQL: {one_line(self.doors.secrets.scrub(said), 300) or type(error).__name__}"
        if state.startswith("28"):
            return AuthError(what, "correct user and password in DOGWATCH_HUB_URL", permission=False)
        if state == _NO_RIGHT or state in _NO_TABLES:
            return AuthError(what, _GRANT, permission=True)
        if isinstance(error, TimeoutError):
            return Unreachable(f"PostgreSQL: not done within {_LONGEST:g} s", "is the server overloaded?")
        if not state or state[:2] in {"08", "40", "53", "55", "57", "25"}:
            return Unreachable(what, "is the server up, and has it room? what waits goes with the next round")
        return UnexpectedAnswer(what, "see --verbose for the details")

    async def aclose(self) -> None:
        """Close the connection; the next statement opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _digest(table: Table) -> str:
    """The same as ``rows.digest``, of the columns as they are there."""
    said = " || chr(31) || ".join(_told(column) for column in table.compared)
    return f"md5({said})"


def _told(column: Column) -> str:
    text = {
        "text": column.name,
        "int": f"{column.name}::text",
        "time": f"(extract(epoch from {column.name}) * 1000000)::bigint::text",
        "flag": f"{column.name}::text",
    }[column.kind]
    return f"coalesce('=' || {text}, '-')"
