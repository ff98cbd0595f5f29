"""Slack: an incoming webhook, or a bot that keeps one thread for each incident.

Web API as of slack_sdk 3.47: chat.postMessage, chat.update, conversations.history and .replies; Block Kit
with ``rich_text``. With a bot token the first message of an incident is updated in place and every change is
a reply below it; a webhook can do neither, so each message stands for itself.

What platforms say is put into ``text`` elements of ``rich_text`` and into ``plain_text``: Slack parses
neither, so nothing in it can mention, link or style. Only the notification fallback is parsed; it is escaped.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import BaseModel, SecretStr, TypeAdapter, model_validator

from dogwatch.errors import ChannelError, ConnectorError
from dogwatch.model import Block, Consent, Fields, Items, Message, Occasion, Quote, Steps, Text
from dogwatch.model.text import one_line
from dogwatch.notify.base import PACE, Channel, ChannelSettings, Earlier, parted, undelivered
from dogwatch.report import plain
from dogwatch.wire.answer import Answer
from dogwatch.wire.http import Doors
from dogwatch.wire.login import FixedToken

_JSON = {"Content-Type": "application/json; charset=utf-8"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_HEADER = 150
_LINE = 1_000
_VALUE = 2_900
_EVENT = "dogwatch_message"
_LOOK_BACK = timedelta(minutes=5)
"""Before the message was made; the clocks may differ."""
_PAGES = 5
_REPLAY = timedelta(minutes=5)
"""Slack's own advice: a request whose timestamp is older may be a replay."""

APPROVE, REJECT = "dogwatch_approve", "dogwatch_reject"
"""``action_id`` of the buttons; their ``value`` is the action's id and the digest of what is consented to."""

_DEAD = {
    "not_authed": "set the bot token",
    "invalid_auth": "the bot token is wrong: copy it from OAuth & Permissions of your app",
    "token_revoked": "the bot token was revoked: reinstall the app and copy the new one",
    "token_expired": "the bot token has expired: reinstall the app and copy the new one",
    "account_inactive": "the app's user was removed: reinstall the app",
    "missing_scope": "add the scope chat:write to the app and reinstall it",
    "channel_not_found": "use the channel's id, and invite the app: /invite @dogwatch",
    "not_in_channel": "invite the app to the channel: /invite @dogwatch",
    "is_archived": "the channel is archived: unarchive it or choose another",
    "restricted_action": "the workspace does not let apps post there: ask its administrator",
    "no_permission": "the app may not post there: ask the workspace's administrator",
    "org_login_required": "the workspace is being moved; try again when that is over",
}
_TIRED = frozenset({"ratelimited", "rate_limited", "service_unavailable"})
_UNSURE = frozenset({"internal_error", "fatal_error", "request_timeout"})
_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})


class SlackSettings(ChannelSettings):
    """A Slack channel, reached by a bot token or by an incoming webhook."""

    bot_token: SecretStr | None = None
    """Bot token (xoxb-…) of an app of yours: api.slack.com/apps > OAuth & Permissions. It needs the scope
    chat:write; with channels:history (groups:history for private channels) a message that may have been sent
    before a crash is looked for instead of sent again."""
    channel: str | None = None
    """With a bot token: the id of the channel, such as C0DATAOPS1 (in its details, at the bottom)."""
    webhook_url: SecretStr | None = None
    """Instead of a bot token: an incoming webhook. It can neither update messages nor keep threads."""
    app_token: SecretStr | None = None
    """For buttons: an app-level token (xapp-…) with the scope connections:write (Basic Information >
    App-Level Tokens); `dogwatch listen` hears the presses with it."""
    url: str = "https://slack.com/api"
    """Where Slack's Web API answers."""

    @model_validator(mode="after")
    def _one_way(self) -> "SlackSettings":
        if (self.bot_token is None) == (self.webhook_url is None):
            raise ValueError("needs exactly one of bot_token and webhook_url")
        if self.bot_token is not None and not self.channel:
            raise ValueError("needs a channel beside the bot token")
        return self


class _Said(BaseModel):
    """What every method of the Web API answers."""

    ok: bool
    error: str = ""
    needed: str = ""
    channel: str = ""
    ts: str = ""


class _Metadata(BaseModel):
    event_type: str = ""
    event_payload: dict[str, Any] = {}


class _Posted(BaseModel):
    ts: str
    metadata: _Metadata | None = None


class _Cursor(BaseModel):
    next_cursor: str = ""


class _History(_Said):
    messages: list[_Posted] = []
    response_metadata: _Cursor | None = None


_SAID = TypeAdapter(_Said)
_HISTORY = TypeAdapter(_History)


class Slack(Channel[SlackSettings]):
    """Tells one Slack channel."""

    Settings = SlackSettings
    title: ClassVar[str] = "Slack"

    def __init__(self, name: str, settings: SlackSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        self.in_place = settings.bot_token is not None
        if settings.bot_token is not None:
            login = FixedToken(settings.bot_token, doors.secrets)
            self._http = doors.open(settings.url, login=login, pace=PACE)
        else:
            assert settings.webhook_url is not None
            secret = settings.webhook_url.get_secret_value()
            base, self._path = parted(secret, f"channels.{name}.webhook_url")
            doors.secrets.add(self._path)
            self._http = doors.open(base, login=None, pace=PACE)

    async def send(self, message: Message, earlier: Earlier) -> str:
        """Post it; with a bot, update the incident's first message and reply below it."""
        if not self.in_place:
            return await self._hook(message)
        channel, _, root = earlier.first.partition("/")
        if not root:
            return await self._post(message, blocks(message, buttons=True))
        try:
            await self._call("chat.update", {"channel": channel, "ts": root, **_body(message, buttons=True)})
        except ChannelError as error:
            if error.__class__ is not _Gone:
                raise
            return await self._post(message, blocks(message, buttons=True))
        loud = message.occasion in (Occasion.reopened, Occasion.escalated)
        extra: dict[str, Any] = {"thread_ts": root, **({"reply_broadcast": True} if loud else {})}
        return await self._post(message, reply(message), channel=channel, **extra)

    async def find(self, message: Message, earlier: Earlier) -> str | None:
        """Where the message is, by the key in its metadata. Raises ChannelError, also if nobody may look."""
        if not self.in_place:
            raise ChannelError("a webhook cannot be asked what it posted", refused=True)
        channel, _, root = earlier.first.partition("/")
        params: dict[str, str | int] = {
            "channel": channel or self.settings.channel or "",
            "oldest": f"{(message.at - _LOOK_BACK).timestamp():.6f}",
            "include_all_metadata": "true",
            "limit": 100,
            **({"ts": root} if root else {}),
        }
        method = "conversations.replies" if root else "conversations.history"
        for _ in range(_PAGES):
            page = await self._page(method, params)
            for posted in page.messages:
                told = posted.metadata
                if told is not None and told.event_payload.get("key") == message.key:
                    return f"{params['channel']}/{posted.ts}"
            cursor = page.response_metadata.next_cursor if page.response_metadata else ""
            if not cursor:
                return None
            params["cursor"] = cursor
        raise ChannelError("too much was written since to look for one message", refused=True)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def _hook(self, message: Message) -> str:
        body = _encoded(_body(message, buttons=False))
        try:
            answer = await self._http.send(self._path, body, headers=_JSON)
        except ConnectorError as error:
            raise undelivered(error) from error
        if answer.content.strip() != b"ok":
            raise ChannelError("the webhook did not answer ok", "check the URL", ambiguous=True)
        return "webhook"

    async def _post(
        self, message: Message, said: list[dict[str, Any]], channel: str = "", **extra: Any
    ) -> str:
        metadata = {
            "event_type": _EVENT,
            "event_payload": {"key": message.key, "thread": message.thread},
        }
        told = await self._call(
            "chat.postMessage",
            {
                "channel": channel or self.settings.channel,
                "text": fallback(message),
                "blocks": said,
                "metadata": metadata,
                **_QUIETLY,
                **extra,
            },
        )
        return f"{told.channel}/{told.ts}"

    async def _call(self, method: str, body: Mapping[str, Any]) -> _Said:
        try:
            answer = await self._http.send(method, _encoded(body), headers=_JSON)
            told = answer.parse(_SAID)
        except ConnectorError as error:
            raise undelivered(error) from error
        return told if told.ok else _complain(method, told)

    async def _page(self, method: str, params: Mapping[str, str | int]) -> _History:
        try:
            form = urlencode(
                params
            ).encode()  # as forms all methods are understood, as JSON not those that read
            answer: Answer = await self._http.send(method, form, headers=_FORM)
            page = answer.parse(_HISTORY)
        except ConnectorError as error:
            raise undelivered(error) from error
        if not page.ok:
            _complain(method, page)
        return page


class _Gone(ChannelError):
    """The message that was to be changed is not there any more."""


def _complain(method: str, told: _Said) -> _Said:
    """Raise what an answer that is not ok means."""
    code = one_line(told.error, 80)
    what = f"{method} answered {code}" + (f" (needs {one_line(told.needed, 80)})" if told.needed else "")
    if code in _GONE:
        raise _Gone(what)
    if code in _DEAD:
        raise ChannelError(what, _DEAD[code], permanent=True)
    if code in _TIRED:
        raise ChannelError(what, "nothing to do: tried again")
    if code in _UNSURE:
        raise ChannelError(what, "nothing to do: tried again", ambiguous=True)
    raise ChannelError(what, "please report this with the dogwatch version", refused=True)


# ── what Slack shows ────────────────────────────────────────────────────────────────────────────────────────

_QUIETLY = {
    "unfurl_links": False,
    "unfurl_media": False,
    "parse": "none",
    "link_names": False,
    "mrkdwn": False,
}


def _body(message: Message, *, buttons: bool) -> dict[str, Any]:
    return {"text": fallback(message), "blocks": blocks(message, buttons=buttons), **_QUIETLY}


def _encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def fallback(message: Message) -> str:
    """What a phone shows in its notification. Slack reads markup here, so all of it is escaped."""
    safe = one_line(message.title, 300).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return safe.replace("@", "@\u2060").replace("://", ":\u2060//")


def blocks(message: Message, *, buttons: bool) -> list[dict[str, Any]]:
    """The whole message; without ``buttons`` consent is asked for by the commands that give it."""
    title = f"● {message.title}"
    found: list[dict[str, Any]] = [{"type": "header", "text": _plain(title, _HEADER)}]
    if len(one_line(title, _LINE)) > _HEADER:
        found.append(_rich(_section([_text(title)])))
    zone = ZoneInfo(message.timezone)
    for block in message.blocks:
        found += _blocks(block, zone, buttons)
    return found


def reply(message: Message) -> list[dict[str, Any]]:
    """What stands in the thread: what has changed, in short; the whole is above."""
    lines = [[_text(message.title, bold=True)]]
    lines += [[_text(block.text)] for block in message.blocks if isinstance(block, Text)]
    return [_rich(_lines(lines))]


def _blocks(block: Block, zone: ZoneInfo, buttons: bool) -> Iterable[dict[str, Any]]:
    match block:
        case Text(text=said):
            return [_rich(_section([_text(said)]))]
        case Fields(fields=fields):
            lines = [[_text(f"{label}  ", bold=True), _text(value, limit=_VALUE)] for label, value in fields]
            return [_rich(_lines(lines))] if lines else []
        case Quote():
            return [_quote(block, zone)]
        case Items(title=title, items=items):
            head = [_section([_text(f"{title}:")])] if title else []
            return [_rich(*head, _list([[_text(item)] for item in items]))] if items or head else []
        case Steps(steps=steps):
            return [_rich(_section([_text("next:")]), _list([_step(*step) for step in steps]))]
        case Consent():
            return _consent(block, buttons)


def _quote(quote: Quote, zone: ZoneInfo) -> dict[str, Any]:
    head: list[dict[str, Any]] = [_text(plain.origin(quote, zone))]
    if quote.url and plain.is_link(quote.url):
        head += [_text(" · "), _link(quote.url, "open")]
    lines = _clipped("\n".join(plain.quoted_lines(quote)), _VALUE)
    return _rich(_section(head), {"type": "rich_text_preformatted", "elements": [_verbatim(lines)]})


def _step(said: str, target: str) -> list[dict[str, Any]]:
    if plain.is_link(target):
        return [_text(f"{said}: "), _link(target, target)]
    if not target:
        return [_text(said)]
    return [_text(f"{said}: "), {**_text(target), "style": {"code": True}}]


def _consent(block: Consent, buttons: bool) -> list[dict[str, Any]]:
    label, why, *commands = plain.consent_lines(block)
    told = _rich(
        _lines([[_text(label, bold=True)], [_text(why)]]),
        _list([[{**_text(command[2:]), "style": {"code": True}}] for command in commands]),
    )
    if not buttons:
        return [told]
    value = f"{one_line(block.action, 80)} {one_line(block.digest, 80)}"
    sure = {
        "title": _plain("Do this?", 100),
        "text": _plain(block.label, 300),
        "confirm": _plain("Approve", 30),
        "deny": _plain("Not now", 30),
    }
    approve = _button(APPROVE, "Approve", "primary", value) | {"confirm": sure}
    reject = _button(REJECT, "Reject", "danger", value)
    key = hashlib.sha256(value.encode()).hexdigest()[:16]
    return [told, {"type": "actions", "block_id": f"consent-{key}", "elements": [approve, reject]}]


def _button(action: str, label: str, style: str, value: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action, "text": _plain(label, 75), "style": style, "value": value}


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": one_line(text, limit) or "…", "emoji": False}


def _rich(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": list(elements)}


def _section(elements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": elements}


def _lines(lines: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """A section with a line for each of these; sections of their own would run into each other."""
    elements: list[dict[str, Any]] = []
    for line in lines:
        elements += [{"type": "text", "text": "\n"}] if elements else []
        elements += line
    return _section(elements)


def _list(items: list[list[dict[str, Any]]]) -> dict[str, Any]:
    return {"type": "rich_text_list", "style": "bullet", "elements": [_section(item) for item in items]}


def _text(text: str, *, bold: bool = False, limit: int = _LINE) -> dict[str, Any]:
    end = text[len(text.rstrip(" ")) :]  # blanks that part what follows
    begin = text[: len(text) - len(text.lstrip(" "))]
    told: dict[str, Any] = {"type": "text", "text": f"{begin}{one_line(text, limit)}{end}" or "…"}
    return {**told, "style": {"bold": True}} if bold else told


def _verbatim(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text or "…"}


def _link(url: str, text: str) -> dict[str, Any]:
    return {"type": "link", "url": url, "text": one_line(text, 300)}


def _clipped(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


# ── what Slack sends ────────────────────────────────────────────────────────────────────────────────────────


def is_from_slack(secret: str, timestamp: str, body: bytes, signature: str, now: datetime) -> bool:
    """Whether a request was signed by Slack with the app's signing secret within the last five minutes.

    ``timestamp`` and ``signature`` are X-Slack-Request-Timestamp and X-Slack-Signature, ``body`` the raw
    bytes. (docs.slack.dev, "Verifying requests from Slack")
    """
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return False
    if abs(now.timestamp() - int(timestamp)) > _REPLAY.total_seconds():
        return False
    signed = b"v0:" + timestamp.encode() + b":" + body
    expected = "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
