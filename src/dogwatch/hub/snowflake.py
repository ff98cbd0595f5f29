"""The audit trail in Snowflake, through the SQL API: a batch is one MERGE of one bound JSON document.

The API takes no transactions over several requests (``sqlapi.yaml``, SQL reference: MERGE, FLATTEN), and
needs none: a statement is atomic, and a MERGE that is sent again changes nothing.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import ClassVar

from pydantic import ConfigDict, Field, model_validator

from dogwatch.errors import AuthError
from dogwatch.hub.base import Hub, quoted, unfit
from dogwatch.hub.tables import JOB_STATUS, SCHEMA_VERSION, TABLES, VERSION_TABLE, VIEW, Column, Kind, Table
from dogwatch.wire.account import IDENTIFIER, PACE, AccountSettings, login_of
from dogwatch.wire.http import Doors
from dogwatch.wire.sqlapi import Row, SqlApi


class SnowflakeHubSettings(AccountSettings):
    """Where the tables are, and how to get there. Which way in is taken follows from the credentials."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    role: str | None = None
    """The role that writes: INSERT, UPDATE and SELECT on the tables, USAGE on database, schema and warehouse.
    Left out: the user's default role. dogwatch hub ddl prints the grants."""
    database: str
    """The database that holds the schema, such as DEV_POWERAPPS."""
    schema_name: str = Field(default="AUDIT_JOB_HUB", alias="schema")
    """The schema of the tables."""

    @model_validator(mode="after")
    def _plain_names(self) -> "SnowflakeHubSettings":
        given = {"database": self.database, "schema": self.schema_name}
        given |= {"warehouse": self.warehouse, "role": self.role or "X"}
        for key, name in given.items():
            if not IDENTIFIER.fullmatch(name):
                raise ValueError(f"{key} is not a plain name: letters, digits, _ and $ only")
        return self


class SnowflakeHub(Hub[SnowflakeHubSettings]):
    """Tables in one schema of one account."""

    Settings = SnowflakeHubSettings
    title = "Snowflake"
    types: ClassVar[Mapping[Kind, str]] = {
        "text": "VARCHAR",
        "int": "NUMBER(38,0)",
        "time": "TIMESTAMP_TZ",
        "flag": "BOOLEAN",
        "json": "VARIANT",
    }

    def __init__(self, settings: SnowflakeHubSettings, doors: Doors) -> None:
        super().__init__(settings, doors)
        self._http = doors.open(settings.base, login=login_of(settings, doors), pace=PACE)
        self._sql = SqlApi(self._http, doors.clock, warehouse=settings.warehouse, role=settings.role)

    @property
    def place(self) -> str:
        """``snowflake ACCOUNT DATABASE.SCHEMA``."""
        return f"snowflake {self.settings.account.upper()} {self._schema}"

    @property
    def _schema(self) -> str:
        return f"{self.settings.database}.{self.settings.schema_name}".upper()

    def _name(self, name: str) -> str:
        return f"{self._schema}.{name}"

    def ddl(self) -> Sequence[str]:
        """Schema, tables with a comment on every column, view, version."""
        version = self._name(VERSION_TABLE)
        newest = "row_number() over (partition by INSTANCE, JOB_ID order by LAST_RUN_TIME desc, ATTEMPT desc)"
        view = (
            f"create or replace view {self._name(VIEW)} as\n"
            f"select * from {self._name(JOB_STATUS.name)}\nqualify {newest} = 1"
        )
        installed = (
            f"insert into {version} (VERSION, INSTALLED_AT)\n"
            f"select {SCHEMA_VERSION}, current_timestamp()\n"
            f"where not exists (select 1 from {version} where VERSION = {SCHEMA_VERSION})"
        )
        columns = "VERSION NUMBER(38,0) not null, INSTALLED_AT TIMESTAMP_TZ not null"
        return [
            f"create schema if not exists {self._schema}",
            *(self._create(table) for table in TABLES),
            view,
            f"create table if not exists {version} ({columns})",
            installed,
        ]

    def _create(self, table: Table) -> str:
        lines = [
            f"  {column.name.upper()} {self.types[column.kind]}{' not null' if at == 0 else ''}"
            f" comment {quoted(column.about)}"
            for at, column in enumerate(table.columns)
        ]
        lines.append(f"  primary key ({table.columns[0].name.upper()})")
        inner, about = ",\n".join(lines), quoted(table.about)
        return f"create table if not exists {self._name(table.name)} (\n{inner}\n) comment = {about}"

    def grants(self) -> Sequence[str]:
        """No DELETE: what is on record can be corrected by newer states, and not removed."""
        settings = self.settings
        role = (settings.role or "DOGWATCH").upper()
        return [
            f"grant usage on warehouse {settings.warehouse.upper()} to role {role}",
            f"grant usage on database {settings.database.upper()} to role {role}",
            f"grant usage on schema {self._schema} to role {role}",
            *(
                f"grant select, insert, update on table {self._name(one.name)} to role {role}"
                for one in TABLES
            ),
            f"grant select on table {self._name(VERSION_TABLE)} to role {role}",
            f"grant select on view {self._name(VIEW)} to role {role}",
        ]

    async def version(self) -> int | None:
        """The newest one that was installed."""
        try:
            rows = await self._all(f"select max(VERSION) as VERSION from {self._name(VERSION_TABLE)}")
        except AuthError as error:
            if error.permission:
                raise unfit(None) from error
            raise
        found = rows[0]["VERSION"] if rows else None
        return None if found is None else int(found)

    async def put(self, table: Table, document: str) -> None:
        """One MERGE."""
        await self._all(self.merge(table), [document])

    def merge(self, table: Table) -> str:
        """The statement; the document is bound to its question mark."""
        names = [column.name.upper() for column in table.columns]
        picked = ",\n  ".join(self._picked(column) for column in table.columns)
        given = ", ".join(f"t.{name} = s.{name}" for name in names[1:])
        return (
            f"merge into {self._name(table.name)} t using (\n"
            f"select\n  {picked}\n"
            "from (select parse_json(?) as j), lateral flatten(input => j) r\n"
            f") s on t.UID = s.UID\n"
            f"when matched and {_not_older(table)} then update set {given}\n"
            f"when not matched then insert ({', '.join(names)})"
            f" values ({', '.join(f's.{name}' for name in names)})"
        )

    def _picked(self, column: Column) -> str:
        cast = "" if column.kind == "json" else f"::{self.types[column.kind]}"
        return f"r.value:{column.name}{cast} as {column.name.upper()}"

    async def sums(self, table: Table) -> Mapping[str, tuple[int, str]]:
        """One statement, whatever the number of rows."""
        rows = await self._all(
            "select left(UID, 2) as BUCKET, count(*) as ROWS_THERE,"
            f" md5(listagg({_digest(table)}, '') within group (order by UID)) as CHECKSUM"
            f" from {self._name(table.name)} group by left(UID, 2)"
        )
        return {row["BUCKET"] or "": (int(row["ROWS_THERE"] or 0), row["CHECKSUM"] or "") for row in rows}

    async def digests(self, table: Table, buckets: Sequence[str]) -> AsyncIterator[Sequence[tuple[str, str]]]:
        """Partition by partition."""
        chosen = ", ".join(quoted(one) for one in buckets)
        statement = (
            f"select UID, {_digest(table)} as DIGEST from {self._name(table.name)}"
            f" where left(UID, 2) in ({chosen})"
        )
        async for rows in self._sql.query(statement):
            yield [(row["UID"] or "", row["DIGEST"] or "") for row in rows]

    async def _all(self, statement: str, texts: Sequence[str] = ()) -> list[Row]:
        return [row async for batch in self._sql.query(statement, texts) for row in batch]

    async def aclose(self) -> None:
        """Close the door."""
        await self._http.aclose()


def _not_older(table: Table) -> str:
    """Whether s is at least as new as t, column by column."""
    said = ""
    for name in reversed([name.upper() for name in table.newer]):
        flag = next(one.kind for one in table.columns if one.name.upper() == name) == "flag"
        new, old = (f"iff({side}.{name}, 1, 0)" if flag else f"{side}.{name}" for side in "st")
        said = f"{new} >= {old}" if not said else f"({new} > {old} or ({new} = {old} and {said}))"
    return said


def _digest(table: Table) -> str:
    """The same as ``rows.digest``, of the columns as they are there."""
    said = " || chr(31) || ".join(_told(column) for column in table.compared)
    return f"md5({said})"


def _told(column: Column) -> str:
    name = column.name.upper()
    text = {
        "text": name,
        "int": f"to_varchar({name})",
        "time": f"to_varchar(date_part(epoch_microsecond, {name}))",
        "flag": f"iff({name}, 'true', 'false')",
    }[column.kind]
    return f"iff({name} is null, '-', '=' || {text})"
