"""Mail to a real SMTP server, read back; and what a server's refusals mean."""

import asyncio
import email
import email.policy
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import SecretStr, ValidationError

from dogwatch.errors import ChannelError
from dogwatch.model import Occasion
from dogwatch.notify.base import Earlier
from dogwatch.notify.smtp import Security, Smtp, SmtpSettings
from dogwatch.wire.http import Doors
from support.clock import NOON, JumpingClock
from support.letters import incident, resolved, told

OPENED = told(incident())
RESOLVED = told(resolved(incident(), NOON), Occasion.resolved)


class Box:
    """A mail server's handler that keeps what it gets and refuses what it is told to."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipient = "250 OK"
        self.data = "250 OK"

    async def handle_RCPT(  # noqa: N802  # the hook's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(  # noqa: N802  # the hook's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.data.startswith("250"):
            content = cast("bytes", envelope.content)
            read = email.message_from_bytes(content, policy=email.policy.default)
            self.mails.append(read)
        return self.data


@contextmanager
def serving(handler: Box, **options: Any) -> Iterator[int]:
    """A mail server on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    controller = Controller(handler, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
def box() -> Iterator[tuple[Box, int]]:
    handler = Box()
    with serving(handler) as port:
        yield handler, port


def smtp(port: int, **changes: Any) -> Smtp:
    given: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "security": Security.none,
        "sender": "dogwatch@shop.example",
        "to": ("oncall@shop.example", "second@shop.example"),
        **changes,
    }
    return Smtp("smtp", SmtpSettings(**given), Doors(clock=JumpingClock()))


def test_a_mail_arrives_whole_and_hangs_together_with_the_first(box: tuple[Box, int]) -> None:
    handler, port = box
    channel = smtp(port)
    first = asyncio.run(channel.send(OPENED, Earlier()))
    asyncio.run(channel.send(RESOLVED, Earlier(first=first, last=first)))
    opened, over = handler.mails
    assert opened["Message-ID"] == first
    assert over["References"] == over["In-Reply-To"] == first
    assert opened["Subject"].startswith("[dogwatch][HIGH] INC-7 ERROR Airbyte cannot read Orders PG")
    text, page = (cast("EmailMessage", part).get_content() for part in opened.iter_parts())
    assert "permission denied for table orders" in text
    assert "dogwatch incident show INC-7" in page


def test_a_mail_that_is_sent_again_has_the_same_message_id(box: tuple[Box, int]) -> None:
    handler, port = box
    for _ in range(2):
        asyncio.run(smtp(port).send(OPENED, Earlier()))
    one, other = handler.mails
    assert one["Message-ID"] == other["Message-ID"]


@pytest.mark.parametrize(
    ("recipient", "data", "permanent", "refused"),
    [
        ("550 no such user", "250 OK", True, False),
        ("450 try later", "250 OK", False, False),
        ("250 OK", "554 looks like spam", False, True),
        ("250 OK", "451 try later", False, False),
    ],
)
def test_a_refusal_is_for_good_for_this_mail_or_for_the_moment(
    box: tuple[Box, int], recipient: str, data: str, permanent: bool, refused: bool
) -> None:
    handler, port = box
    handler.recipient, handler.data = recipient, data
    with pytest.raises(ChannelError) as error:
        asyncio.run(smtp(port).send(OPENED, Earlier()))
    assert (error.value.permanent, error.value.refused) == (permanent, refused)
    assert not error.value.ambiguous
    assert handler.mails == []


def test_a_wrong_password_switches_the_channel_off_and_is_not_told() -> None:
    def refuse(
        server: SMTP, session: Session, envelope: Envelope, how: str, given: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=False, handled=False)

    with serving(Box(), auth_require_tls=False, authenticator=refuse) as port:
        channel = smtp(port, username="dogwatch", password=SecretStr("not-the-password"))
        with pytest.raises(ChannelError) as error:
            asyncio.run(channel.send(OPENED, Earlier()))
    assert error.value.permanent
    assert "not-the-password" not in f"{error.value.message} {error.value.hint}"


def test_a_server_that_is_not_there_or_offers_no_tls_is_told_apart(box: tuple[Box, int]) -> None:
    with pytest.raises(ChannelError) as error:
        asyncio.run(smtp(1).send(OPENED, Earlier()))
    assert (error.value.permanent, error.value.ambiguous) == (False, False)
    with pytest.raises(ChannelError) as error:
        asyncio.run(smtp(box[1], security=Security.starttls).send(OPENED, Earlier()))
    assert error.value.permanent


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "mail.shop.example"},
        {"sender": "dogwatch@shop.example\nBcc: x@y.example"},
        {"to": ("On Call <oncall@shop.example>",)},
        {"to": ("a@b, c@d",)},
        {"to": ()},
        {"username": "dogwatch"},
    ],
)
def test_settings_that_would_leak_or_mislead_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        smtp(25, **changes)
