"""The hub of one configuration: settings, statements, and a hub that cannot be reached."""

import socket
from datetime import timedelta
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
from ruamel.yaml import YAML

from dogwatch import settings
from dogwatch.errors import SettingsError
from dogwatch.hub.postgres import PostgresHub
from dogwatch.hub.snowflake import SnowflakeHub
from dogwatch.hub.tables import TABLES
from dogwatch.report.hub import status
from dogwatch.wire.http import Doors
from support.cli import run
from support.clock import JumpingClock
from support.hubs import InPostgres, Watch, attempts

AIRBYTE = "timezone: UTC\nconnectors: {airbyte: {url: http://127.0.0.1:9}}\n"
SNOWFLAKE = """
hub:
  kind: snowflake
  account: SHOP-PROD
  user: DOGWATCH
  role: DOGWATCH_RW
  warehouse: MONITOR_WH
  database: DEV_POWERAPPS
"""
TOKEN = {"DOGWATCH_HUB_ACCESS_TOKEN": "pat-0123456789abcdef"}
URL = {"DOGWATCH_HUB_URL": "postgresql://dog:wuff@db.example:6432/audit", "DOGWATCH_HUB_SCHEMA": "trail"}


def load(folder: Path, text: str, environ: dict[str, str]) -> settings.Settings:
    (folder / "dogwatch.yaml").write_text(AIRBYTE + text, encoding="utf-8")
    return settings.load(None, environ, folder)


@pytest.mark.parametrize("text", ["", "hub: none\n", "hub:\n"])
def test_without_a_hub_there_is_none(text: str, tmp_path: Path) -> None:
    assert load(tmp_path, text, {}).hub is None


def test_a_hub_in_snowflake_has_account_role_warehouse_database_and_schema(tmp_path: Path) -> None:
    config = load(tmp_path, SNOWFLAKE, TOKEN).hub
    assert config is not None
    target = SnowflakeHub(config.settings, Doors(clock=JumpingClock()))  # type: ignore[arg-type]  # by its kind
    assert target.place == "snowflake SHOP-PROD DEV_POWERAPPS.AUDIT_JOB_HUB"
    jsonschema.validate(YAML(typ="safe").load(AIRBYTE + SNOWFLAKE), settings.schema())


def test_a_hub_in_postgres_has_an_address_that_is_secret_and_a_schema(tmp_path: Path) -> None:
    config = load(tmp_path, "hub: {kind: postgres}\n", URL).hub
    assert config is not None
    doors = Doors(clock=JumpingClock())
    target = PostgresHub(config.settings, doors)  # type: ignore[arg-type]  # by its kind
    assert target.place == "postgres db.example:6432/audit trail"
    assert "wuff" not in repr(config) + target.place
    assert doors.secrets.scrub("password wuff refused") == "password *** refused"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hub: postgres\n", "neither none nor a mapping"),
        ("hub: {kind: postgre}\n", "did you mean postgres?"),
        ("hub: {schema: trail}\n", "hub.kind: is missing"),
        ("hub: {kind: postgres}\n", "DOGWATCH_HUB_URL"),
        ("hub: {kind: postgres, url: postgresql://a:b@c/d}\n", "a secret does not belong into this file"),
        ("hub: {kind: postgres, schema: a; drop}\n", "is not a plain name"),
        (SNOWFLAKE.replace("DEV_POWERAPPS", "DEV;X"), "is not a plain name"),
    ],
)
def test_a_hub_that_is_wrong_is_told_with_its_key_and_the_fix(text: str, said: str, tmp_path: Path) -> None:
    given = (
        {**TOKEN, "DOGWATCH_HUB_URL": "postgresql://c/d"} if "schema: a" in text or "DEV;X" in text else {}
    )
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text, given)
    assert said in f"{caught.value} {caught.value.hint}"


def test_grants_are_those_of_a_writer_who_can_remove_nothing(tmp_path: Path) -> None:
    for text, given in ((SNOWFLAKE, TOKEN), ("hub: {kind: postgres, role: writer}\n", URL)):
        config = load(tmp_path, text, given).hub
        assert config is not None
        kind = SnowflakeHub if config.kind == "snowflake" else PostgresHub
        grants = "\n".join(kind(config.settings, Doors(clock=JumpingClock())).grants()).lower()  # type: ignore[arg-type]
        assert not {"delete", "all", "ownership", "create", "truncate"} & set(
            grants.replace(",", " ").split()
        )
        assert all(f"{table.name.lower()} to " in grants for table in TABLES)
        assert ("dogwatch_rw" if config.kind == "snowflake" else "writer") in grants


def test_the_statements_are_printed_and_nothing_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    load(tmp_path, SNOWFLAKE, TOKEN)
    found = run("hub", "ddl", env=TOKEN)
    assert found.exit_code == 0, found.output
    assert "create table if not exists DEV_POWERAPPS.AUDIT_JOB_HUB.JOB_STATUS (" in found.stdout
    assert (
        "grant select, insert, update on table DEV_POWERAPPS.AUDIT_JOB_HUB.JOB_STATUS to role DOGWATCH_RW;"
        in found.stdout
    )
    status_of_new = run("hub", "status", "--format", "json", env=TOKEN)
    assert (status_of_new.exit_code, '"state": "whole"' in status_of_new.stdout) == (0, True)


def test_who_has_no_hub_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    load(tmp_path, "", {})
    assert run("hub", "status").exit_code == 0
    for verb in ("ddl", "sync", "verify"):
        found = run("hub", verb)
        assert found.exit_code == 2
        assert "no hub is set up" in found.stderr
        assert "docs/hub.md" in found.stderr


def test_a_hub_that_is_down_costs_a_round_nothing_and_is_tried_again_after_a_while(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    watch = Watch(tmp_path, InPostgres(f"postgresql://dog:wuff@127.0.0.1:{port}/audit", "audit_job_hub"))
    watch.round(attempts(range(30)))
    first = watch.sync()
    assert (first.state, first.waiting, first.attempts, first.since) == ("failing", 30, 1, watch.clock.now())
    assert watch.sync().attempts == 1  # not before its time
    assert first.next_at is not None
    for number in range(2, 9):
        watch.round(attempts([100 + number]))
        watch.clock.move(timedelta(minutes=14))
        assert watch.sync().attempts == number  # every quarter of an hour, however long it is down
    found = watch.status()
    assert (found.waiting, found.since) == (37, first.since)
    said = status(found, 80).plain
    assert "37 run attempts wait, and nothing is lost" in " ".join(said.split())
    assert "dogwatch hub sync" in said
    assert "wuff" not in said + found.reason
