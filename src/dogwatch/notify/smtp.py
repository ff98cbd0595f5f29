"""Mail by SMTP: text and HTML, one conversation for each incident.

RFC 5321 and 5322 by the standard library. A mail keeps its Message-ID when it is sent again, and names the
first one of its incident in References, so that mail programs show them together.
"""

import asyncio
import hashlib
import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from enum import StrEnum
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator, model_validator

from dogwatch.errors import ChannelError
from dogwatch.model import Message, Priority
from dogwatch.model.text import one_line
from dogwatch.notify.base import Channel, ChannelSettings, Earlier
from dogwatch.report import html, plain
from dogwatch.wire.http import Doors

TIMEOUT = 30.0
_LOGIN_REFUSED = frozenset({530, 534, 535, 538})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_IMPORTANCE = {
    Priority.low: ("low", "5 (Lowest)"),
    Priority.normal: ("normal", "3 (Normal)"),
    Priority.high: ("high", "2 (High)"),
    Priority.urgent: ("high", "1 (Highest)"),
}


class Security(StrEnum):
    """How the connection is protected."""

    starttls = "starttls"
    tls = "tls"
    none = "none"


class SmtpSettings(ChannelSettings):
    """A mail server, and to whom it is to deliver."""

    host: str = Field(min_length=1)
    """The mail server."""
    port: int = Field(default=587, ge=1, le=65535)
    """587 for starttls, 465 for tls."""
    security: Security = Security.starttls
    """starttls, tls, or none (only for a server on this machine)."""
    sender: str
    """The address that mails come from, such as dogwatch@shop.example."""
    to: tuple[str, ...] = Field(min_length=1)
    """The addresses that get them."""
    username: str | None = None
    """Left out: the server asks for no login."""
    password: SecretStr | None = None
    """Of that user; an app password where the mailbox has a second factor."""

    @field_validator("sender")
    @classmethod
    def _one_address(cls, value: str) -> str:
        return address(value)

    @field_validator("to")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(address(one) for one in value)

    @model_validator(mode="after")
    def _safe(self) -> "SmtpSettings":
        if (self.username is None) != (self.password is None):
            raise ValueError("needs both username and password, or neither")
        if self.security is Security.none and self.host not in _LOOPBACK:
            raise ValueError("security none is for a server on this machine: use starttls or tls")
        return self


def address(value: str) -> str:
    """A bare mail address. Raises ValueError for anything else."""
    name, found = parseaddr(value)
    local, at, domain = found.rpartition("@")
    if name or not (local and at and domain) or found != value.strip() or not found.isprintable():
        raise ValueError("is no mail address: write it as name@host")
    if any(char in found for char in ' ,;:<>()[]"\\'):
        raise ValueError("is no mail address: write it as name@host")
    return found


class Smtp(Channel[SmtpSettings]):
    """Sends mail."""

    Settings = SmtpSettings
    title: ClassVar[str] = "Mail (SMTP)"

    def __init__(self, name: str, settings: SmtpSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        if settings.password is not None:
            doors.secrets.add(settings.password.get_secret_value())

    async def send(self, message: Message, earlier: Earlier) -> str:
        """Hand it to the mail server; returns its Message-ID."""
        mail = letter(message, self.settings, earlier)
        await asyncio.to_thread(self._deliver, mail)
        return str(mail["Message-ID"])

    def _deliver(self, mail: EmailMessage) -> None:
        """In a thread of its own: the standard library's client blocks."""
        handed_over = False
        try:
            with self._connected() as server:
                handed_over = True
                refused = server.send_message(mail, self.settings.sender, list(self.settings.to))
        except smtplib.SMTPException as error:
            raise self._translated(error, handed_over) from error
        except OSError as error:
            why = "its certificate is not trusted here" if isinstance(error, ssl.SSLError) else ""
            raise ChannelError(
                f"cannot talk to {self.settings.host}:{self.settings.port}" + (f": {why}" if why else ""),
                "check host, port and security",
                ambiguous=handed_over,
            ) from error
        if refused:  # the others have it; sending it again would double it for them
            return

    def _connected(self) -> smtplib.SMTP:
        settings, context = self.settings, ssl.create_default_context()
        server: smtplib.SMTP
        if settings.security is Security.tls:
            server = smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT, context=context)
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT)
        try:
            if settings.security is Security.starttls:
                server.starttls(context=context)
            if settings.username is not None and settings.password is not None:
                server.login(settings.username, settings.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server

    def _translated(self, error: smtplib.SMTPException, handed_over: bool) -> ChannelError:
        """What the server's refusal means: for ever, for this mail, or for the moment."""
        host = self.settings.host
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return ChannelError(
                f"{host} offers no {self.settings.security}", "check security", permanent=True
            )
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            codes = [code for code, _ in error.recipients.values()]
            said = f"{host} takes mail for none of the recipients ({codes[0] if codes else '?'})"
            return ChannelError(
                said, "check `to`", permanent=bool(codes) and all(code >= 500 for code in codes)
            )
        if isinstance(error, smtplib.SMTPResponseException):
            code = int(error.smtp_code)
            words = error.smtp_error
            text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
            said = f"{host} answered {code}: {one_line(self.doors.secrets.scrub(text), 200)}"
            if code in _LOGIN_REFUSED:
                return ChannelError(said, "correct username and password", permanent=True)
            if isinstance(error, smtplib.SMTPSenderRefused) and code >= 500:
                return ChannelError(said, "check `sender`", permanent=True)
            return ChannelError(said, "see what the server says", refused=code >= 500)
        return ChannelError(f"{host} hung up", "usually passes by itself", ambiguous=handed_over)


def letter(message: Message, settings: SmtpSettings, earlier: Earlier) -> EmailMessage:
    """The mail. Headers are made from single lines only, so that no text can add one."""
    mail = EmailMessage()
    domain = settings.sender.rpartition("@")[2]
    importance, priority = _IMPORTANCE[plain.priority(message)]
    mail["From"] = Address("dogwatch", addr_spec=settings.sender)
    mail["To"] = ", ".join(settings.to)
    mail["Subject"] = plain.subject(message)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = message_id(message.key, domain)
    mail["Importance"] = importance
    mail["X-Priority"] = priority
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    mail["X-Dogwatch-Key"] = message.key
    if earlier.first:
        mail["In-Reply-To"] = earlier.first
        mail["References"] = earlier.first
    mail.set_content(plain.text(message), cte="quoted-printable")
    mail.add_alternative(html.page(message), subtype="html", cte="quoted-printable")
    return mail


def message_id(key: str, domain: str) -> str:
    """The same for the same message, so that a mail that arrives twice can be known for the same."""
    return f"<{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}@{domain}>"
