"""Troubles of docs/troubleshooting.md on this machine: each provoked, and what dogwatch then prints."""

import socket
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from dogwatch.model import Status
from dogwatch.store import Store, file, open_store
from support.cast import a_run
from support.clock import NOON, JumpingClock
from support.scene import CONFIG, SNOWFLAKE, Scene, Troubles, complaint
from support.stage import Call

SCENARIO = """id: night
estate: audit
now: 2026-03-03T06:30:00Z
faults:
  - {at: 2026-03-03T02:00:00Z, on: airbyte/orders, kind: run_fials}
"""

HERE = Troubles()
trouble = HERE.note


# ── configuration ───────────────────────────────────────────────────────────────────────────────────────────


@trouble
def no_configuration(scene: Scene) -> str:
    return scene.types("check")


@trouble
def unknown_key(scene: Scene) -> str:
    scene.config(f"histroy_days: 30\n{CONFIG}")
    return scene.types("check")


@trouble
def misspelt_secret(scene: Scene) -> str:
    scene.config("connectors:\n  airbyte:\n    clientid: 4f9c\n")
    return scene.types("check")


@trouble
def unknown_platform(scene: Scene) -> str:
    scene.config("connectors:\n  airbite:\n    url: https://airbyte.example.com\n")
    return scene.types("check")


@trouble
def broken_yaml(scene: Scene) -> str:
    scene.config("connectors:\n  airbyte:\n\turl: https://airbyte.example.com\n")
    return scene.types("check")


@trouble
def secret_in_file(scene: Scene) -> str:
    scene.config(f"{SNOWFLAKE}    access_token: eyJraWQiOiI\n")
    return scene.types("check")


@trouble
def missing_secret(scene: Scene) -> str:
    ids = "url: https://contoso.crm4.dynamics.com, tenant_id: contoso, client_id: 5d8f1f0a"
    scene.config(f"connectors:\n  power_automate: {{{ids}}}\n")
    return scene.types("check")


@trouble
def missing_key(scene: Scene) -> str:
    scene.config("connectors:\n  databricks: {}\n", "DOGWATCH_DATABRICKS_TOKEN=dapi0123\n")
    return scene.types("check")


@trouble
def misspelt_variable(scene: Scene) -> str:
    scene.config()
    return scene.types("check", env={"DOGWATCH_AIRBYTE_CLIENT_SECRT": "x"})


@trouble
def stray_variable(scene: Scene) -> str:
    scene.config()
    return scene.types("check", env={"DOGWATCH_SNOWFLAKE_ACCESS_TOKEN": "x"})


@trouble
def broken_env_file(scene: Scene) -> str:
    scene.config(env_file="DOGWATCH_AIRBYTE_CLIENT_ID\n")
    return scene.types("check")


@trouble
def several_problems(scene: Scene) -> str:
    scene.config(f"timezone: Europe/Berln\nhistory_days: 400\n{CONFIG.partition(chr(10))[2]}")
    return scene.types("check")


@trouble
def unusable_url(scene: Scene) -> str:
    scene.config("connectors:\n  airbyte:\n    url: airbyte.example.com\n")
    return scene.types("doctor")


@trouble
def unusable_proxy(scene: Scene) -> str:
    scene.config()
    return scene.types("doctor", env={"HTTP_PROXY": "proxy.example.com:3128x"})


@trouble
def unknown_connector(scene: Scene) -> str:
    scene.config()
    return scene.types("doctor", "airbite")


@trouble
def unknown_command(scene: Scene) -> str:
    return scene.types("chek")


@trouble
def unreadable_since(scene: Scene) -> str:
    scene.config()
    return scene.types("runs", "--since", "yesterday")


@trouble
def platform_there_already(scene: Scene) -> str:
    scene.config()
    return scene.types("init", "airbyte")


@trouble
def no_run_remembered(scene: Scene) -> str:
    scene.config()
    return scene.types("runs", "--status", "failed")


# ── the store ───────────────────────────────────────────────────────────────────────────────────────────────


def recorded(scene: Scene) -> Store:
    """The store, with a run in it."""
    store = open_store(scene.store)
    store.record([a_run(1)])
    return store


@trouble
def store_locked(scene: Scene) -> str:
    scene.patch.setattr(file, "_BUSY_SECONDS", 0)  # else it is waited for, in real time
    store = recorded(scene)
    with closing(sqlite3.connect(scene.store, isolation_level=None)) as other, closing(store):
        other.execute("BEGIN IMMEDIATE")
        return complaint(lambda: store.record([a_run(2)]))


@trouble
def store_full(scene: Scene) -> str:
    store = recorded(scene)

    def no_more_pages(connection: sa.Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    sa.event.listen(store._engine, "begin", no_more_pages)
    many = [a_run(number, Status.failed, error_message="x" * 1000) for number in range(2, 500)]
    with closing(store):
        return complaint(lambda: store.record(many))


@trouble
def store_readonly(scene: Scene) -> str:
    store = recorded(scene)
    sa.event.listen(store._engine, "begin", lambda one: one.exec_driver_sql("PRAGMA query_only = ON"))
    with closing(store):
        return complaint(lambda: store.record([a_run(2)]))


@trouble
def store_not_a_database(scene: Scene) -> str:
    scene.config(f"store: dogwatch.yaml\n{CONFIG}")
    return scene.types("runs")


@trouble
def store_folder_missing(scene: Scene) -> str:
    scene.config(f"store: memroy/dogwatch.db\n{CONFIG}")
    return scene.types("runs")


@trouble
def store_cannot_be_opened(scene: Scene) -> str:
    (scene.folder / "data").mkdir()
    scene.config(f"store: data\n{CONFIG}")
    return scene.types("runs")


@trouble
def store_newer(scene: Scene) -> str:
    scene.config()
    recorded(scene).close()
    with closing(sqlite3.connect(scene.store)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    return scene.types("runs")


@trouble
def store_damaged(scene: Scene) -> str:
    scene.config()
    store = recorded(scene)
    store.record([a_run(number) for number in range(2, 400)])
    store.close()
    raw = bytearray(scene.store.read_bytes())
    raw[8192:] = b"\xff" * (len(raw) - 8192)
    scene.store.write_bytes(raw)
    return scene.types("runs")


@trouble
def second_round(scene: Scene) -> str:
    with closing(open_store(scene.store)) as other:
        other.claim_round("night-box pid 4711", NOON)
        waiting = replace(scene, clock=Renewing(other))
        return waiting.check(waiting.stage("airbyte"))


class Renewing(JumpingClock):
    """Whenever somebody waits, another process shows that it lives."""

    def __init__(self, other: Store) -> None:
        super().__init__()
        self._other = other

    async def sleep(self, seconds: float) -> None:
        """Jump, and let the other one keep its right."""
        await super().sleep(seconds)
        self._other.renew_round(self.now())


@trouble
def round_taken_over(scene: Scene) -> str:
    stage = scene.stage("airbyte")
    other = open_store(scene.store)

    def takes_over(call: Call) -> None:
        other.claim_round("other-box pid 4712", scene.clock.now() + timedelta(minutes=2))

    stage.way.before = takes_over
    with closing(other):
        return scene.check(stage)


# ── demo and lab ────────────────────────────────────────────────────────────────────────────────────────────


@trouble
def demo_folder(scene: Scene) -> str:
    (scene.folder / "dogwatch-demo").mkdir()
    return scene.types("demo")


@trouble
def lab_port(scene: Scene) -> str:
    (scene.folder / "small.yaml").write_text("id: small\njobs:\n  airbyte/orders: {every: 6h}\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return scene.types("lab", "serve", "small.yaml", "--port", str(taken.getsockname()[1]))


@trouble
def lab_unknown_estate(scene: Scene) -> str:
    return scene.types("lab", "serve", "audti")


@trouble
def lab_scenario_wrong(scene: Scene) -> str:
    (scene.folder / "night.yaml").write_text(SCENARIO)
    return scene.types("lab", "run", "night.yaml")


@trouble
def a_mistake_of_ours(scene: Scene) -> str:
    scene.config()
    scene.patch.setitem(sys.modules, "dogwatch.report.runs", None)
    return scene.types("runs")
