"""Slack's Web API and webhooks: one message and one thread for each incident, and what each refusal means."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import pytest
from pydantic import SecretStr, ValidationError

from dogwatch.errors import ChannelError
from dogwatch.model import Occasion
from dogwatch.notify.base import Earlier
from dogwatch.notify.slack import Slack, SlackSettings, is_from_slack
from support.clock import NOON
from support.door import Script, doors, ok, status
from support.letters import incident, resolved, told

TOKEN = SecretStr("xoxb-not-a-real-token")
HOOK = SecretStr("https://hooks.slack.example/services/T000/B000/not-a-real-hook")
POSTED = ok({"ok": True, "channel": "C1", "ts": "1.1"})
OPENED = told(incident())
RESOLVED = told(resolved(incident(), NOON), Occasion.resolved)


def bot(respond: Callable[[httpx2.Request], httpx2.Response]) -> Slack:
    return Slack("slack", SlackSettings(bot_token=TOKEN, channel="C1"), doors(respond))


def hook(respond: Callable[[httpx2.Request], httpx2.Response]) -> Slack:
    return Slack("slack", SlackSettings(webhook_url=HOOK), doors(respond))


def bodies(script: Script) -> list[dict[str, Any]]:
    return [json.loads(request.content) for request in script.requests]


def test_the_first_message_opens_a_thread_and_later_ones_change_it_and_reply() -> None:
    slack_says = Script(POSTED, POSTED, ok({"ok": True, "channel": "C1", "ts": "2.2"}))
    channel = bot(slack_says)
    assert asyncio.run(channel.send(OPENED, Earlier())) == "C1/1.1"
    assert asyncio.run(channel.send(RESOLVED, Earlier(first="C1/1.1", last="C1/1.1"))) == "C1/2.2"
    assert slack_says.paths == ["/api/chat.postMessage", "/api/chat.update", "/api/chat.postMessage"]
    first, changed, replied = bodies(slack_says)
    assert (first["channel"], "thread_ts" in first) == ("C1", False)
    assert first["metadata"]["event_payload"] == {"key": "INC-7/opened/0", "thread": "INC-7"}
    assert (changed["ts"], replied["thread_ts"], "reply_broadcast" in replied) == ("1.1", "1.1", False)
    for body in (first, changed, replied):
        assert (body["parse"], body["link_names"], body["unfurl_links"], body["mrkdwn"]) == (
            "none",
            False,
            False,
            False,
        )
    assert slack_says.requests[0].headers["Authorization"] == "Bearer xoxb-not-a-real-token"


@pytest.mark.parametrize("occasion", [Occasion.reopened, Occasion.escalated])
def test_what_has_to_be_seen_is_told_to_the_channel_as_well(occasion: Occasion) -> None:
    slack_says = Script(POSTED)
    asyncio.run(bot(slack_says).send(told(incident(reopened=1), occasion), Earlier(first="C1/1.1")))
    assert bodies(slack_says)[1]["reply_broadcast"] is True


def test_if_somebody_deleted_the_first_message_a_new_one_begins() -> None:
    slack_says = Script(ok({"ok": False, "error": "message_not_found"}), POSTED)
    assert asyncio.run(bot(slack_says).send(RESOLVED, Earlier(first="C1/9.9"))) == "C1/1.1"
    assert "thread_ts" not in bodies(slack_says)[1]


def caught(respond: httpx2.Response | Exception, make: Callable[[Script], Slack] = bot) -> ChannelError:
    with pytest.raises(ChannelError) as error:
        asyncio.run(make(Script(respond)).send(OPENED, Earlier()))
    return error.value


@pytest.mark.parametrize("code", ["invalid_auth", "not_in_channel", "is_archived", "missing_scope"])
def test_what_no_message_can_mend_switches_the_channel_off(code: str) -> None:
    error = caught(ok({"ok": False, "error": code}))
    assert (error.permanent, bool(error.hint)) == (True, True)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (ok({"ok": False, "error": "invalid_blocks"}), "refused"),
        (ok({"ok": False, "error": "ratelimited"}), "later"),
        (ok({"ok": False, "error": "internal_error"}), "unsure"),
        (status(429, None, Retry_After="30"), "later"),
        (status(503), "later"),
        (status(502), "unsure"),
        (ok({"what": "else"}), "unsure"),
        (httpx2.ReadTimeout("slow"), "unsure"),
        (httpx2.ConnectError("refused"), "later"),
    ],
)
def test_other_refusals_concern_this_message_or_this_moment(
    answer: httpx2.Response | Exception, what: str
) -> None:
    error = caught(answer)
    assert not error.permanent
    assert (error.refused, error.ambiguous) == (what == "refused", what == "unsure")
    if isinstance(answer, httpx2.Response) and answer.status_code == 429:
        assert error.retry_after == 30.0


def test_a_message_is_looked_for_by_its_key_on_every_page() -> None:
    def page(key: str, cursor: str = "") -> httpx2.Response:
        told = {"event_type": "dogwatch_message", "event_payload": {"key": key}}
        messages = [{"ts": "5.5", "metadata": told}, {"ts": "5.6"}]
        return ok({"ok": True, "messages": messages, "response_metadata": {"next_cursor": cursor}})

    slack_says = Script(page("another", "more"), page("INC-7/opened/0"))
    assert asyncio.run(bot(slack_says).find(OPENED, Earlier())) == "C1/5.5"
    asked = dict(parse_qsl(slack_says.requests[1].content.decode()))
    assert (asked["cursor"], asked["include_all_metadata"]) == ("more", "true")
    assert float(asked["oldest"]) < NOON.timestamp()
    nothing = Script(page("another"))
    assert asyncio.run(bot(nothing).find(RESOLVED, Earlier(first="C1/1.1"))) is None
    assert nothing.paths == ["/api/conversations.replies"]


def test_a_bot_that_may_not_look_says_so() -> None:
    with pytest.raises(ChannelError) as error:
        asyncio.run(bot(Script(ok({"ok": False, "error": "missing_scope"}))).find(OPENED, Earlier()))
    assert error.value.permanent


def test_a_webhook_stands_alone_and_its_address_is_a_secret() -> None:
    script = Script(httpx2.Response(200, content=b"ok"))
    channel = hook(script)
    assert not channel.in_place
    assert asyncio.run(channel.send(RESOLVED, Earlier(first="webhook"))) == "webhook"
    assert script.paths == ["/services/T000/B000/not-a-real-hook"]
    assert "channel" not in bodies(script)[0]
    error = caught(status(404), hook)
    assert error.permanent
    assert "not-a-real-hook" not in error.message
    assert caught(httpx2.Response(400, content=b"invalid_payload"), hook).refused


@pytest.mark.parametrize(
    "given",
    [{}, {"bot_token": TOKEN}, {"bot_token": TOKEN, "webhook_url": HOOK, "channel": "C1"}],
)
def test_one_way_in_has_to_be_chosen(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SlackSettings(**given)


# Slack's published example (docs.slack.dev, "Verifying requests from Slack").
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
STAMP = "1531420618"
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
THEN = datetime.fromtimestamp(1531420618, UTC)


def test_slacks_published_example_is_from_slack() -> None:
    assert is_from_slack(SECRET, STAMP, BODY, SIGNATURE, THEN)


@pytest.mark.parametrize(
    ("secret", "stamp", "body", "signature", "seconds"),
    [
        ("another", STAMP, BODY, SIGNATURE, 0),
        (SECRET, STAMP, BODY + b"&text=rm", SIGNATURE, 0),
        (SECRET, "1531420619", BODY, SIGNATURE, 0),
        (SECRET, STAMP, BODY, SIGNATURE, 301),
        (SECRET, STAMP, BODY, SIGNATURE, -301),
        (SECRET, STAMP, BODY, "v0=", 0),
        (SECRET, STAMP, BODY, "v0=ä\ud800", 0),
        (SECRET, "", BODY, SIGNATURE, 0),
        (SECRET, "١٥٣١٤٢٠٦١٨", BODY, SIGNATURE, 0),
        (SECRET, "9" * 400, BODY, SIGNATURE, 0),
    ],
)
def test_what_is_forged_changed_or_old_is_not(
    secret: str, stamp: str, body: bytes, signature: str, seconds: int
) -> None:
    now = datetime.fromtimestamp(1531420618 + seconds, UTC)
    assert not is_from_slack(secret, stamp, body, signature, now)
