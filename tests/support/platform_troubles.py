"""Troubles of docs/troubleshooting.md with platforms: each provoked, and what dogwatch then prints."""

import json
import socket
import sys
from datetime import timedelta

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.responses import JSONResponse, RedirectResponse, Response

from support.scene import SNOWFLAKE, Scene, Troubles
from support.stage import Call, Stage

ON_PLATFORMS = Troubles()
trouble = ON_PLATFORMS.note


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
