"""Every trouble that docs/troubleshooting.md describes, provoked: its name, and what dogwatch then prints."""

import json
import socket
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.responses import JSONResponse, RedirectResponse, Response

from dogwatch.model import Status
from dogwatch.store import Store, file, open_store
from support.cast import a_run
from support.clock import NOON
from support.scene import CONFIG, Scene, complaint
from support.stage import Call, Stage

SNOWFLAKE = """connectors:
  snowflake:
    account: MYORG-MYACCOUNT
    user: DOGWATCH
    warehouse: MONITOR_WH
    database: ANALYTICS
"""
SCENARIO = """id: night
estate: audit
now: 2026-03-03T06:30:00Z
faults:
  - {at: 2026-03-03T02:00:00Z, on: airbyte/orders, kind: run_fials}
"""

Provoke = Callable[[Scene], str]
TROUBLES: dict[str, Provoke] = {}


def trouble(provoke: Provoke) -> Provoke:
    """Enter it under its name, with hyphens."""
    TROUBLES[provoke.__name__.replace("_", "-")] = provoke
    return provoke


# ── configuration ───────────────────────────────────────────────────────────────────────────────────────────


@trouble
def no_configuration(scene: Scene) -> str:
    return scene.types("check")


@trouble
def unknown_key(scene: Scene) -> str:
    scene.config(f"histroy_days: 30\n{CONFIG}")
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


# ── credentials and permissions ─────────────────────────────────────────────────────────────────────────────


@trouble
def airbyte_credentials(scene: Scene) -> str:
    return scene.doctor(scene.stage("airbyte"), client_secret="wrong-secret")


@trouble
def databricks_credentials(scene: Scene) -> str:
    return scene.doctor(scene.stage("databricks"), client_id=None, client_secret=None, token="dapi-wrong")


@trouble
def databricks_principal(scene: Scene) -> str:
    return scene.doctor(scene.stage("databricks"), client_secret="wrong-secret")


@trouble
def power_automate_credentials(scene: Scene) -> str:
    return scene.doctor(scene.stage("power_automate"), client_secret="wrong-secret")


@trouble
def snowflake_credentials(scene: Scene) -> str:
    return scene.doctor(scene.stage("snowflake"), access_token="wrong-token")


@trouble
def credentials_on_the_board(scene: Scene) -> str:
    return scene.check(scene.stage("databricks", "auth_revoked"))


@trouble
def pasted_badly(scene: Scene) -> str:
    stage = scene.stage("databricks")
    return scene.doctor(stage, client_id=None, client_secret=None, token="dapi 0123 4567")


def refusing(stage: Stage, path: str, status: int, body: object) -> Stage:
    """Calls whose path holds ``path`` are refused in the vendor's words."""

    def answer(call: Call) -> Response | None:
        return JSONResponse(body, status) if path in call.path and not call.login else None

    stage.way.answer = answer
    return stage


@trouble
def airbyte_permission(scene: Scene) -> str:
    body = {"status": 403, "title": "forbidden", "detail": "User does not have the required permissions."}
    return scene.doctor(refusing(scene.stage("airbyte"), "/connections", 403, body))


@trouble
def databricks_permission(scene: Scene) -> str:
    body = {"error_code": "PERMISSION_DENIED", "message": "User is not authorized to use this workspace."}
    return scene.doctor(refusing(scene.stage("databricks"), "/jobs/list", 403, body))


@trouble
def databricks_sees_nothing(scene: Scene) -> str:
    return scene.doctor(refusing(scene.stage("databricks"), "/jobs/list", 200, {}))


@trouble
def power_automate_permission(scene: Scene) -> str:
    said = "Principal user is missing prvReadFlowRun privilege on OTC 10774 for entity 'flowrun'."
    body = {"error": {"code": "0x80040220", "message": said}}
    return scene.doctor(refusing(scene.stage("power_automate"), "/flowruns", 403, body))


@trouble
def power_automate_no_user(scene: Scene) -> str:
    said = "The user is not a member of the organization."
    body = {"error": {"code": "0x80072560", "message": said}}
    return scene.doctor(refusing(scene.stage("power_automate"), "/workflows", 403, body))


@trouble
def power_automate_sees_nothing(scene: Scene) -> str:
    return scene.doctor(refusing(scene.stage("power_automate"), "/api/data/", 200, {"value": []}))


@trouble
def power_automate_blind_spots(scene: Scene) -> str:
    return scene.check(scene.stage("power_automate"))


def of_snowflake(call: Call) -> str:
    """The statement that a call carries."""
    return str(json.loads(call.body or b"{}").get("statement", ""))


@trouble
def snowflake_permission(scene: Scene) -> str:
    stage = scene.stage("snowflake")
    said = "SQL compilation error: Database 'ANALYTICS' does not exist or not authorized."

    def answer(call: Call) -> Response | None:
        if "task_history" not in of_snowflake(call):
            return None
        return JSONResponse({"code": "002003", "sqlState": "02000", "message": said}, 422)

    stage.way.answer = answer
    return scene.doctor(stage)


@trouble
def snowflake_no_warehouse(scene: Scene) -> str:
    said = "No active warehouse selected in the current session."
    body = {"code": "000606", "sqlState": "57P03", "message": said}
    return scene.doctor(refusing(scene.stage("snowflake"), "/statements", 422, body))


# ── Snowflake's key pair ────────────────────────────────────────────────────────────────────────────────────


def private_key() -> rsa.RSAPrivateKey:
    """A new one."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, passphrase: str = "") -> str:
    """The key as text, encrypted if there is a passphrase."""
    sealed: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        sealed = serialization.BestAvailableEncryption(passphrase.encode())
    raw = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    return raw.decode()


@trouble
def snowflake_key_unreadable(scene: Scene) -> str:
    return scene.doctor(scene.stage("snowflake"), access_token=None, private_key=pem(private_key(), "sesame"))


@trouble
def snowflake_key_of_another_sort(scene: Scene) -> str:
    return scene.doctor(
        scene.stage("snowflake"), access_token=None, private_key=pem(ec.generate_private_key(ec.SECP256R1()))
    )


@trouble
def snowflake_key_unknown(scene: Scene) -> str:
    return scene.doctor(scene.stage("snowflake"), access_token=None, private_key=pem(private_key()))


@trouble
def snowflake_extra_missing(scene: Scene) -> str:
    key = pem(private_key())
    scene.patch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    return scene.doctor(scene.stage("snowflake"), access_token=None, private_key=key)


@trouble
def snowflake_no_way_in(scene: Scene) -> str:
    scene.config(SNOWFLAKE)
    return scene.types("check")


# ── limits, networks, answers ───────────────────────────────────────────────────────────────────────────────


@trouble
def rate_limit(scene: Scene) -> str:
    return scene.doctor(scene.stage("databricks", "rate_limited", retry_after=timedelta(minutes=5)))


@trouble
def platform_down(scene: Scene) -> str:
    return scene.doctor(scene.stage("airbyte", "platform_down"))


@trouble
def connection_refused(scene: Scene) -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return scene.doctor(scene.stage("airbyte"), url=f"http://127.0.0.1:{port}")


@trouble
def no_such_host(scene: Scene) -> str:
    return scene.doctor(scene.stage("airbyte"), url="https://airbyte.exmaple.com")


@trouble
def no_tls(scene: Scene) -> str:
    stage = scene.stage("airbyte")
    return scene.doctor(stage, url=stage.url.replace("http://", "https://"))


@trouble
def no_answer(scene: Scene) -> str:
    stage = scene.stage("airbyte")
    stage.way.hangs = lambda call: not call.login
    return scene.doctor(stage)


@trouble
def web_page(scene: Scene) -> str:
    return scene.doctor(scene.stage("airbyte", "bad_payload", shape="html"))


@trouble
def redirect(scene: Scene) -> str:
    stage = scene.stage("airbyte")
    stage.way.answer = lambda call: RedirectResponse("https://login.example.com/", 302)
    return scene.doctor(stage)


@trouble
def empty_body(scene: Scene) -> str:
    stage = scene.stage("airbyte")
    stage.way.rewrite = lambda call, body: body if call.login else b""
    return scene.doctor(stage)


@trouble
def changed_shape(scene: Scene) -> str:
    stage = scene.stage("airbyte")
    stage.way.rewrite = lambda call, body: body.replace(b'"workspaceId"', b'"workspace"')
    return scene.doctor(stage)


@trouble
def clock_skew(scene: Scene) -> str:
    return scene.doctor(scene.stage("airbyte", "clock_skew", by=timedelta(minutes=11)))


@trouble
def clock_skew_on_the_board(scene: Scene) -> str:
    return scene.check(scene.stage("airbyte", "clock_skew", by=timedelta(minutes=11)))


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
        other.claim_round("night-box pid 4711", NOON + timedelta(hours=1))
        return scene.check(scene.stage("airbyte"))


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
