"""Outlook: drafts in a mailbox through Microsoft Graph v1.0, with application permissions only.

``Mail.ReadWrite`` makes drafts and cannot send; a person sends them. Only if ``send`` is switched on is
``Mail.Send`` needed. A draft carries an internetMessageId made from the message's key, by which it is found
again after a crash. (learn.microsoft.com/graph/api/user-post-messages, message-send)
"""

import hashlib
from collections.abc import Mapping
from string import Template
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, Field, SecretStr, TypeAdapter, field_validator

from dogwatch.errors import ChannelError, ConnectorError
from dogwatch.model import Message, Occasion, Priority
from dogwatch.model.text import one_line
from dogwatch.notify.base import PACE, Channel, ChannelSettings, Earlier, undelivered
from dogwatch.report import html, plain
from dogwatch.wire.answer import Answer
from dogwatch.wire.http import Doors, Http
from dogwatch.wire.login import TokenLogin
from dogwatch.wire.oauth import entra_token

GRAPH = "https://graph.microsoft.com"
_HEADERS = {"Prefer": 'IdType="ImmutableId"'}
"""Ids that stay the same when a draft is moved or sent."""
_IMPORTANCE = {
    Priority.low: "low",
    Priority.normal: "normal",
    Priority.high: "high",
    Priority.urgent: "high",
}
_SUBJECT = Template("[dogwatch][$priority] $title")
_LEADS: Mapping[Occasion, str] = {
    Occasion.opened: "A pipeline needs attention.",
    Occasion.changed: "There is news of something that was told before.",
    Occasion.reopened: "Something that was resolved is back.",
    Occasion.escalated: "This was told before, and nobody has taken it on.",
    Occasion.resolved: "Something that was told before is over.",
    Occasion.digest: "Several things happened at once; here they are together.",
    Occasion.report: "Here is the report.",
    Occasion.test: "This is a test.",
}
"""How a mail begins, by occasion; what follows are the message's own blocks."""
_CLOSING = "Written by dogwatch from what the platforms say."
_UNSENT = " It is a draft: nobody gets it until somebody sends it."


class OutlookSettings(ChannelSettings):
    """A mailbox in Microsoft 365 in which drafts are made."""

    tenant_id: str = Field(min_length=1)
    """Directory (tenant) ID: entra.microsoft.com > App registrations > your app."""
    client_id: str = Field(min_length=1)
    """Application (client) ID of that app. It needs the application permission Mail.ReadWrite with admin
    consent, kept to this one mailbox by an application access policy of Exchange Online."""
    client_secret: SecretStr
    """App registrations > your app > Certificates & secrets > New client secret."""
    mailbox: str = Field(min_length=3)
    """The mailbox in which drafts are made: its address or its object id."""
    to: tuple[str, ...] = Field(min_length=1)
    """The addresses that the drafts are made out to."""
    cc: tuple[str, ...] = ()
    """Addresses that get a copy."""
    send: bool = False
    """Send the mails instead of leaving them as drafts. Needs the permission Mail.Send as well."""
    url: str = GRAPH
    """Where Microsoft Graph answers; other than this in sovereign clouds only."""
    entra_url: str = "https://login.microsoftonline.com"
    """Where Microsoft Entra answers; other than this in sovereign clouds only."""

    @field_validator("to", "cc")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if "@" not in one.strip("@") or not one.isprintable() or any(char in one for char in ' ,;<>"'):
                raise ValueError(f"{one_line(one, 60)!r} is no mail address: write it as name@host")
        return value


class _Draft(BaseModel):
    id: str
    is_draft: bool = Field(True, alias="isDraft")
    web_link: str | None = Field(None, alias="webLink")


class _Drafts(BaseModel):
    value: list[_Draft]


_DRAFT = TypeAdapter(_Draft)
_DRAFTS = TypeAdapter(_Drafts)


class Outlook(Channel[OutlookSettings]):
    """Makes drafts, and sends them if that is switched on."""

    Settings = OutlookSettings
    title: ClassVar[str] = "Outlook (Microsoft Graph)"

    def __init__(self, name: str, settings: OutlookSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        doors.secrets.add(settings.client_secret.get_secret_value())
        login = TokenLogin(self._buy, clock=doors.clock, secrets=doors.secrets)
        self._http = doors.open(f"{settings.url.rstrip('/')}/v1.0", login=login, pace=PACE)
        self._messages = f"users/{quote(settings.mailbox, safe='@')}/messages"

    async def send(self, message: Message, earlier: Earlier) -> str:
        """Make the draft; returns its link, so that it can be opened from elsewhere."""
        body = draft(message, self.settings)
        try:
            answer = await self._http.send(self._messages, body, headers=_HEADERS)
            made = answer.parse(_DRAFT)
        except ConnectorError as error:
            raise undelivered(error) from error
        return await self._finished(made)

    async def find(self, message: Message, earlier: Earlier) -> str | None:
        """The draft or mail of this key, by its internetMessageId; a draft that was to be sent is sent."""
        wanted = internet_id(message.key, self.settings.mailbox).replace("'", "''")
        params: dict[str, str | int] = {
            "$filter": f"internetMessageId eq '{wanted}'",
            "$select": "id,isDraft,webLink",
            "$top": 1,
        }
        try:
            found = (await self._http.get(self._messages, params, headers=_HEADERS)).parse(_DRAFTS).value
        except ConnectorError as error:
            raise undelivered(error) from error
        return await self._finished(found[0]) if found else None

    async def aclose(self) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def _finished(self, made: _Draft) -> str:
        """Where it is. A draft that cannot be sent stays a draft, and the next attempt finds it."""
        if self.settings.send and made.is_draft:
            try:
                await self._http.send(
                    f"{self._messages}/{quote(made.id, safe='')}/send", b"", headers=_HEADERS
                )
            except ConnectorError as error:
                failure = undelivered(error)
                raise ChannelError(
                    failure.message,
                    failure.hint,
                    permanent=failure.permanent,
                    refused=failure.refused,
                    retry_after=failure.retry_after,
                    ambiguous=True,  # the draft is there: whoever tries again has to look first
                ) from error
        return made.web_link or made.id

    async def _buy(self, http: Http) -> Answer:
        """Entra v2 client credentials for Graph."""
        settings = self.settings
        client = (settings.client_id, settings.client_secret.get_secret_value())
        return await entra_token(
            http, settings.entra_url, settings.tenant_id, client, settings.url.rstrip("/")
        )


def draft(message: Message, settings: OutlookSettings) -> dict[str, Any]:
    """The message as Graph takes it."""
    urgency = plain.priority(message)
    closing = _CLOSING + ("" if settings.send else _UNSENT)
    content = (
        f"<p>{html.inert(_LEADS[message.occasion])}</p>\n{html.page(message)}"
        f'<p style="color:#57606a;font-size:13px">{html.inert(closing)}</p>\n'
    )
    return {
        "subject": _SUBJECT.substitute(priority=urgency.value.upper(), title=one_line(message.title, 200)),
        "importance": _IMPORTANCE[urgency],
        "body": {"contentType": "html", "content": content},
        "toRecipients": [{"emailAddress": {"address": one}} for one in settings.to],
        "ccRecipients": [{"emailAddress": {"address": one}} for one in settings.cc],
        "categories": ["dogwatch", urgency.value],
        "internetMessageId": internet_id(message.key, settings.mailbox),
        "internetMessageHeaders": [
            {"name": "x-dogwatch-thread", "value": one_line(message.thread, 200)},
            {"name": "x-dogwatch-key", "value": one_line(message.key, 200)},
        ],
    }


def internet_id(key: str, mailbox: str) -> str:
    """RFC 5322 Message-ID of a key: the same for the same message."""
    domain = mailbox.rpartition("@")[2]
    name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"<{name}@{domain if '.' in domain and domain.isascii() else 'dogwatch.invalid'}>"
