"""``dogwatch notify`` and the settings behind it, as a person meets them."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dogwatch.errors import ChannelError, SettingsError
from dogwatch.gather.telling import channel_findings, current
from dogwatch.model import Reach, Severity
from dogwatch.notify.routing import Plan
from dogwatch.settings import load
from dogwatch.store import open_store
from support.cli import run
from support.clock import NOON, JumpingClock
from support.letters import BERLIN, Desk, Pigeon, incident
from support.serve import served

SECRETS = {"DOGWATCH_HOOK_SECRET": "a-shared-secret"}


@contextmanager
def hook(status: int) -> Iterator[str]:
    async def take(request: Request) -> Response:
        return Response(status_code=status)

    with served(Starlette(routes=[Route("/in", take, methods=["POST"])])) as url:
        yield f"{url}/in"


def write(folder: Path, channels: str) -> Path:
    file = folder / "dogwatch.yaml"
    file.write_text(
        f"timezone: Europe/Berlin\nconnectors: {{airbyte: {{url: 'http://127.0.0.1:9'}}}}\n{channels}"
    )
    return file


def test_a_test_message_is_sent_and_the_status_says_so(tmp_path: Path) -> None:
    with hook(204) as url:
        file = write(tmp_path, f"channels:\n  hook: {{kind: webhook, url: '{url}'}}\n")
        sent = run("notify", "test", "hook", "--config", str(file), env=SECRETS)
    assert (sent.exit_code, sent.stdout) == (0, "○ hook: sent (answered 204)\n")
    status = run("notify", "status", "--config", str(file), "--format", "json", env=SECRETS)
    (view,) = json.loads(status.stdout)["channels"]
    assert (status.exit_code, view["state"], view["budget"]) == (0, "on", 5)
    assert view["last_sent_at"] is not None


def test_a_test_message_that_is_refused_says_why_and_what_to_do(tmp_path: Path) -> None:
    with hook(403) as url:
        file = write(tmp_path, f"channels:\n  hook: {{kind: webhook, url: '{url}'}}\n")
        sent = run("notify", "test", "hook", "--config", str(file), env=SECRETS)
    assert sent.exit_code == 3
    assert "answered 403" in sent.stdout
    assert "next" in sent.stdout
    absent = run("notify", "test", "hok", "--config", str(file), env=SECRETS)
    assert absent.exit_code == 2
    assert "hook" in absent.stderr


def test_a_test_message_that_arrives_switches_a_channel_on_again(tmp_path: Path) -> None:
    with hook(200) as url:
        file = write(tmp_path, f"channels:\n  hook: {{kind: webhook, url: '{url}'}}\n")
        store = open_store(tmp_path / "dogwatch.db")
        store.save_reach(Reach(destination="hook", dead_since=NOON, reason="answered 401"), NOON)
        off = run("notify", "status", "--config", str(file), env=SECRETS)
        assert off.exit_code == 3
        assert "switched off since" in off.stdout
        assert "dogwatch notify test hook" in off.stdout
        run("notify", "test", "hook", "--config", str(file), env=SECRETS)
        assert store.reaches()["hook"].dead_since is None
        store.close()


def test_nobody_is_told_anything_without_a_channel_and_the_status_says_so(tmp_path: Path) -> None:
    status = run("notify", "status", "--config", str(write(tmp_path, "")))
    assert "nobody is told anything" in status.stdout
    assert "init slack" in status.stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("channels: {slcak: {}}", "did you mean slack?"),
        ("channels: [slack]", "channels: is not a mapping"),
        (
            "channels: {hook: {kind: webhook, url: x, secret: abcdefgh}}",
            "a secret does not belong into this file",
        ),
        ("channels: {slack: {}}", "needs a channel beside the bot token"),
        ("routes: [{to: [slack]}]", "there is no channel 'slack'"),
        ("routes: [{severity: ERROR}]", "routes.0.to: is missing"),
        ("routes: {to: [a]}", "write each as - to: …"),
        ("quiet_hours: [{from: '25:00', to: '07:00'}]", "is no time of day"),
        ("quiet_hours: [{from: '22:00', to: '07:00', timezone: Berlin}]", "did you mean"),
        ("escalation: [{after: 30, to: [slack]}]", "is no duration"),
        ("budget: {alerts_per_hour: 0}", "budget.alerts_per_hour"),
        ("budget: 5", "budget: is not a mapping"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_its_fix(tmp_path: Path, text: str, told: str) -> None:
    file = write(tmp_path, text)
    environ = {"DOGWATCH_SLACK_BOT_TOKEN": "xoxb-not-real"} if "slack: {}" in text else {}
    with pytest.raises(SettingsError) as error:
        load(file, environ, tmp_path)
    assert told in f"{error.value.message} {error.value.hint}"
    assert "dogwatch.yaml:3" in error.value.message
    assert "abcdefgh" not in error.value.message


def test_a_channel_out_of_reach_is_a_finding_and_worse_without_another(tmp_path: Path) -> None:
    clock = JumpingClock()
    desk = Desk(tmp_path, Plan(BERLIN, ("slack",)), clock)
    desk.round(incident())
    refused = ChannelError("chat.postMessage answered token_revoked", "reinstall the app", permanent=True)
    asyncio.run(desk.deliver(Pigeon("slack", refused)))
    (alone,) = channel_findings(desk.plan, desk.store, clock.now()).findings
    assert (alone.rule, alone.subject, alone.severity) == ("unreachable", "channel/slack", Severity.ERROR)
    assert alone.summary.endswith("token_revoked; nobody gets its messages")
    assert alone.next_step == "reinstall the app; then: dogwatch notify test slack"
    clock.move(timedelta(hours=1))
    found = channel_findings(Plan(BERLIN, ("slack", "mail")), desk.store, clock.now())
    (one,) = found.findings
    assert one.severity is Severity.WARNING
    assert one.fingerprint == alone.fingerprint
    assert set(one.evidence) <= set(found.evidence)
    assert current(desk.plan, desk.store).dead == {"slack"}
