"""What each channel sends: as its golden file says, and harmless whatever platforms say.

To change a golden file on purpose, delete it, run the test, which writes it anew, and read it.
"""

import asyncio
import email
import email.policy
import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from dogwatch.model import Consent, Message, Occasion
from dogwatch.notify import apprise, outlook, slack, smtp, webhook
from dogwatch.notify.base import Earlier
from dogwatch.report import html, plain
from dogwatch.report.message import Line, asked, digest, trial
from support.clock import NOON
from support.door import doors
from support.letters import BERLIN, HOSTILE, every_block, incident, resolved, told

GOLDEN = Path(__file__).parent / "golden"
CONSENT = Consent(
    action="5f0c3c7b12-1",
    digest="5f0c3c7b12aa90ff",
    label="Rerun Orders PG → RAW once",
    why="reruns in production ask first",
)

OUTLOOK = outlook.OutlookSettings(
    tenant_id="tenant",
    client_id="client",
    client_secret=SecretStr("a-client-secret"),
    mailbox="dogwatch@shop.example",
    to=("oncall@shop.example",),
)
SMTP = smtp.SmtpSettings(
    host="localhost",
    port=25,
    security=smtp.Security.none,
    sender="dogwatch@shop.example",
    to=("oncall@shop.example",),
)


def mail(message: Message) -> str:
    return smtp.letter(message, SMTP, Earlier()).as_bytes(policy=email.policy.SMTP).decode("ascii")


def as_json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


RENDERINGS: dict[str, Callable[[Message], str]] = {
    "slack_bot.json": lambda message: as_json(
        {
            "text": slack.fallback(message),
            "blocks": slack.blocks(message, buttons=True),
            "reply": slack.reply(message),
        }
    ),
    "slack_webhook.json": lambda message: as_json(slack.blocks(message, buttons=False)),
    "webhook.json": lambda message: as_json(webhook.payload(message)),
    "outlook.json": lambda message: as_json(outlook.draft(message, OUTLOOK)),
    "smtp.eml": mail,
    "apprise.txt": lambda message: apprise.defused(plain.text(message)),
}

MESSAGES: dict[str, Message] = {
    "opened": asked(told(incident()), [CONSENT]),
    "resolved": told(resolved(incident(), NOON), Occasion.resolved),
    "digest": digest(
        [Line(n, incident().severity, f"job {n} failed", f"airbyte/{n}", n % 2 == 0) for n in range(1, 40)],
        "These came on top.",
        "digest/1@x",
        BERLIN,
        NOON,
    ),
}


@pytest.mark.parametrize("name", RENDERINGS)
@pytest.mark.parametrize("which", MESSAGES)
def test_a_channel_sends_what_its_golden_file_says(name: str, which: str) -> None:
    file = GOLDEN / f"{which}.{name}"
    made = re.sub(r"={15}\d+==", "=" * 15 + "part==", RENDERINGS[name](MESSAGES[which]))
    made = made.replace("\r\n", "\n")
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(made, encoding="utf-8")
        pytest.fail(f"{file.name} was not there; it is written now: read it")
    assert made == file.read_text(encoding="utf-8")


# ── hostile text ────────────────────────────────────────────────────────────────────────────────────────────


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u206f]")
HUGE = HOSTILE * 400
"""More than 100 kB."""


@pytest.mark.parametrize(
    "text", [HOSTILE, HUGE, "\ud800 half", "", "\x00"], ids=["marks", "huge", "half", "empty", "null"]
)
@pytest.mark.parametrize("buttons", [True, False])
def test_slack_is_given_structure_so_that_no_text_can_mention_link_or_style(text: str, buttons: bool) -> None:
    message = every_block(text)
    said = slack.blocks(message, buttons=buttons)
    allowed = {"header", "rich_text", "actions"} if buttons else {"header", "rich_text"}
    assert {block["type"] for block in said} <= allowed
    assert len(said) <= 50
    assert len(json.dumps(said)) < 60_000
    kinds = {part["type"] for part in walk(said) if "type" in part}
    assert kinds.isdisjoint({"mrkdwn", "user", "usergroup", "channel", "broadcast", "emoji", "date", "color"})
    links = {part["url"] for part in walk(said) if part.get("type") == "link"}
    assert links == {"https://ok.example/run/1", "https://ok.example"}
    for part in walk(said):
        if "text" in part and isinstance(part["text"], str):
            assert part["text"]
            assert not UNFIT.search(part["text"].replace("\n", ""))
        if part.get("type") == "plain_text":
            assert part["emoji"] is False
    header = next(block for block in said if block["type"] == "header")
    assert len(header["text"]["text"]) <= 150
    fallback = slack.fallback(message)
    assert not re.search(r"[<>]|@(?!\u2060)|://(?!)|:(?!\u2060)//", fallback)
    json.dumps(said).encode()


def test_slack_buttons_carry_the_action_and_its_digest_and_nothing_that_a_platform_said() -> None:
    said = slack.blocks(every_block(), buttons=True)
    (actions,) = (block for block in said if block["type"] == "actions")
    assert [(one["action_id"], one["value"]) for one in actions["elements"]] == [
        (slack.APPROVE, "0123456789-1 0123456789abcdef"),
        (slack.REJECT, "0123456789-1 0123456789abcdef"),
    ]
    assert all(
        part["type"] == "plain_text" for one in actions["elements"] for part in walk(one) if "emoji" in part
    )


class Elements(HTMLParser):
    """Every element of a page with its attributes, and its text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize(
    "text", [HOSTILE, HUGE, "\ud800 half", "", "\x00"], ids=["marks", "huge", "half", "empty", "null"]
)
def test_html_holds_our_own_elements_only_and_links_only_where_we_put_them(text: str) -> None:
    page = Elements()
    page.feed(html.page(every_block(text)))
    own = {"div", "h2", "p", "table", "tr", "td", "pre", "ul", "li", "code", "b", "br", "a"}
    assert {tag for tag, _ in page.tags} <= own
    assert {name for _, attrs in page.tags for name in attrs} <= {"style", "href"}
    assert {attrs["href"] for tag, attrs in page.tags if tag == "a"} == {
        "https://ok.example/run/1",
        "https://ok.example",
    }
    assert not re.search(r"@(?!\u2060)|www(?!\u2060)\.", page.words)
    assert not UNFIT.search(page.words.replace("\n", ""))
    assert len(html.page(every_block(text))) < 200_000


@pytest.mark.parametrize(
    "text", [HOSTILE, HUGE, "\ud800 half", "\x00"], ids=["marks", "huge", "half", "null"]
)
def test_no_text_can_add_a_header_or_a_part_to_a_mail(text: str) -> None:
    raw = smtp.letter(every_block(text), SMTP, Earlier(first="<first@shop.example>")).as_bytes(
        policy=email.policy.SMTP
    )
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert read["Bcc"] is None
    assert read["To"] == "oncall@shop.example"
    assert read["References"] == "<first@shop.example>"
    assert [part.get_content_type() for part in read.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert len(str(read["Subject"])) < 260
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998  # RFC 5322 §2.1.1
    assert not UNFIT.search(str(read["Subject"]))


def test_a_hostile_draft_stays_a_draft_to_the_same_people() -> None:
    made = outlook.draft(every_block(), OUTLOOK)
    assert made["toRecipients"] == [{"emailAddress": {"address": "oncall@shop.example"}}]
    assert made["importance"] == "high"
    assert made["subject"].startswith("[dogwatch][HIGH] INC-7 ERROR")
    template = outlook.draft(told(incident(title="$title ${x} {0} %s")), OUTLOOK)
    assert template["subject"].endswith("INC-7 ERROR $title ${x} {0} %s")
    assert not UNFIT.search(made["subject"])


def test_a_webhook_gets_text_as_it_is_and_whole_json() -> None:
    body = json.dumps(webhook.payload(every_block(HUGE)), ensure_ascii=False).encode("utf-8", "replace")
    assert json.loads(body)["blocks"][0]["text"] == HUGE


def test_a_link_is_followed_only_if_it_is_one() -> None:
    assert plain.is_link("https://ok.example/a?b=c#d")
    for bad in (
        "javascript:alert(1)",
        "https://a b",
        "https://x|y",
        "https://x>y",
        "https://x\u202e",
        "ftp://x",
        HOSTILE,
    ):
        assert not plain.is_link(bad)


def test_a_message_without_a_secret_is_the_same_for_every_channel() -> None:
    for render in RENDERINGS.values():
        assert "a-client-secret" not in render(trial("slack", "test/1@slack", BERLIN, NOON))


# ── the generic webhook ─────────────────────────────────────────────────────────────────────────────────────


def test_a_webhook_signs_what_it_sends_and_keeps_the_key() -> None:
    seen: list[httpx2.Request] = []

    def respond(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(202)

    settings = webhook.WebhookSettings(url="https://hook.example/in", secret=SecretStr("shared-secret"))
    channel = webhook.Webhook("hook", settings, doors(respond))
    assert asyncio.run(channel.send(told(incident()), Earlier())) == "answered 202"
    (request,) = seen
    stamp = request.headers["X-Dogwatch-Timestamp"]
    assert stamp == str(int(NOON.timestamp()))
    assert request.headers["X-Dogwatch-Signature"] == webhook.signature(
        "shared-secret", stamp, request.content
    )
    # printf 'v1:1:{}' | openssl dgst -sha256 -hmac k
    assert webhook.signature("k", "1", b"{}") == (
        "v1=e292abe9429aa784c89e75bfa01876ef8f3c3a4b8cd30d7cb8ee1ffd1c4d9e39"
    )
    assert request.headers["Idempotency-Key"] == "INC-7/opened/0"
