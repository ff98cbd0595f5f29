"""The Databricks connector: the four ways in."""

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pydantic import SecretStr, ValidationError

from dogwatch.connectors.databricks import (
    Databricks,
    DatabricksSettings,
)
from dogwatch.errors import AuthError, UnexpectedAnswer
from support.door import Script, doors, ok, status, texts
from support.workspace import (
    URL,
    Workspace,
    ran,
    read,
    scripted,
    tried,
)


def _ways(workspace: Workspace) -> dict[str, dict[str, Any]]:
    tokens = workspace.twin.tokens
    app = {"client_id": tokens.client_id, "client_secret": SecretStr(tokens.client_secret)}
    return {
        "token": {"token": SecretStr(tokens.personal)},
        "oauth": app,
        "entra": {**app, "azure_tenant_id": tokens.tenant, "entra_url": f"{URL}/entra"},
        "github": {
            "client_id": tokens.client_id,
            "id_token_request_url": f"{URL}/actions/id-token?api-version=2.0",
            "id_token_request_token": SecretStr(tokens.id_token_request_token),
        },
    }


@pytest.mark.parametrize("way", ["token", "oauth", "entra", "github"])
def test_each_way_in_reads_and_buys_a_token_once(way: str) -> None:
    workspace = Workspace(ran(1, tried(60, 50)))
    databricks = workspace.connector(**_ways(workspace)[way])
    assert databricks.settings.auth == way
    assert asyncio.run(databricks.check()) == "Databricks workspace databricks.lab · 3 jobs readable"
    runs, error = asyncio.run(read(databricks, workspace.ask()))
    assert (len(runs), error) == (1, None)
    assert sum(path.endswith("token") and "id-token" not in path for path in workspace.paths) == (
        way != "token"
    )


@pytest.mark.parametrize("way", ["oauth", "entra", "github"])
def test_an_ended_or_revoked_token_is_bought_anew(way: str) -> None:
    workspace = Workspace(ran(1, tried(60, 50)))
    databricks = workspace.connector(**_ways(workspace)[way])

    async def all_day() -> None:
        await databricks.check()
        workspace.clock.move(timedelta(hours=2))
        await databricks.check()
        workspace.twin.revoke()  # answered 403, not 401
        await databricks.check()

    asyncio.run(all_day())
    assert sum(path.endswith("token") and "id-token" not in path for path in workspace.paths) == 3


def test_a_revoked_personal_token_says_what_to_do_and_not_that_a_permission_is_missing() -> None:
    workspace = Workspace()
    databricks = workspace.connector(**_ways(workspace)["token"])
    workspace.twin.revoke()
    with pytest.raises(AuthError) as caught:
        asyncio.run(databricks.check())
    assert caught.value.status == 403
    assert "expired or revoked" in caught.value.hint


@pytest.mark.parametrize("way", ["oauth", "entra", "github"])
def test_refused_credentials_are_an_auth_error_that_tells_no_secret(way: str) -> None:
    workspace = Workspace()
    settings = _ways(workspace)[way]
    wrong = "wrong-secret-4711"
    settings["client_secret" if way != "github" else "id_token_request_token"] = SecretStr(wrong)
    databricks = workspace.connector(**settings)
    with pytest.raises(AuthError) as caught:
        asyncio.run(databricks.check())
    shown = " ".join(texts(caught.value)) + repr(databricks.settings) + repr(databricks.doors)
    assert wrong not in shown


def test_a_workspace_that_names_no_audience_gets_an_id_token_for_its_token_endpoint() -> None:
    endpoint = f"{URL}/oidc/v1/token"
    script = Script(
        ok({"token_endpoint": endpoint}),
        status(404),
        ok({"value": "eyJ.id.token"}),
        ok({"access_token": "bought", "expires_in": 3600}),
        ok({"jobs": [{"job_id": 1}]}),
    )
    settings = DatabricksSettings(
        url=URL,
        client_id="app",
        id_token_request_url="https://runner.example/token?api-version=2.0",
        id_token_request_token=SecretStr("runner-token"),
    )
    asyncio.run(Databricks("databricks", settings, doors(script)).check())
    asked, bought = script.requests[2], script.requests[3]
    assert asked.url.params["audience"] == endpoint
    assert asked.headers["authorization"] == "Bearer runner-token"
    assert dict(parse_qsl(bought.content.decode())) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "subject_token": "eyJ.id.token",
        "client_id": "app",
        "scope": "all-apis",
    }


def test_a_token_endpoint_on_another_host_gets_no_secret() -> None:
    script = Script(ok({"token_endpoint": "https://evil.example/oidc/v1/token"}))
    settings = DatabricksSettings(url=URL, client_id="app", client_secret=SecretStr("dose-secret-1"))
    databricks = Databricks("databricks", settings, doors(script))
    with pytest.raises(UnexpectedAnswer, match="another host"):
        asyncio.run(databricks.check())
    assert len(script.requests) == 1


def test_a_missing_permission_stays_a_missing_permission() -> None:
    databricks, script = scripted(
        status(403, {"error_code": "PERMISSION_DENIED", "message": "no access to jobs"})
    )
    with pytest.raises(AuthError) as caught:
        asyncio.run(databricks.check())
    assert "permission" in caught.value.hint
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, "no credentials"),
        ({"token": "dapi1234567", "client_id": "app"}, "two ways in"),
        ({"token": "dapi1234567", "client_secret": "dose1234567"}, "two ways in"),
        ({"client_secret": "dose1234567"}, "client_id is missing"),
        ({"azure_tenant_id": "t"}, "client_id is missing"),
        ({"client_id": "app"}, "client_secret is missing"),
        ({"client_id": "app", "azure_tenant_id": "t"}, "client_secret is missing"),
        (
            {
                "client_id": "app",
                "azure_tenant_id": "t",
                "id_token_request_url": "https://x",
                "id_token_request_token": "y",
            },
            "not with azure_tenant_id",
        ),
    ],
)
def test_settings_that_name_no_or_two_ways_in_are_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        DatabricksSettings(url=URL, **settings)


def test_a_token_in_a_github_job_is_not_ambiguous_and_a_copied_address_is_understood() -> None:
    settings = DatabricksSettings(
        url=" https://adb-1.2.azuredatabricks.net/?o=123#job/7 ",
        token=SecretStr("dapi1234567"),
        id_token_request_url="https://actions.example",
        id_token_request_token=SecretStr("runner"),
    )
    assert (settings.auth, settings.url) == ("token", "https://adb-1.2.azuredatabricks.net")
