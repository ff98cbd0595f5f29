"""A message: what people are told, as typed blocks that every channel renders in its own way."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.finding import Severity


class Text(Noun):
    """A paragraph in our own words. Untrusted parts in it are data too: every channel escapes all of it."""

    block: Literal["text"] = "text"
    text: str


class Fields(Noun):
    """Labels and values, e.g. cause, started, hits."""

    block: Literal["fields"] = "fields"
    fields: tuple[tuple[str, str], ...]


class Quote(Noun):
    """Evidence, verbatim and shortened; shown in monospace with its id."""

    block: Literal["quote"] = "quote"
    evidence: str
    """Evidence id."""
    source: str
    text: str
    at: UtcTime | None = None
    url: str | None = None


class Items(Noun):
    """A list."""

    block: Literal["items"] = "items"
    title: str = ""
    items: tuple[str, ...]


class Steps(Noun):
    """What can be done: a sentence with a command or a link for each."""

    block: Literal["steps"] = "steps"
    steps: tuple[tuple[str, str], ...]
    """(sentence, command or URL)."""


class Consent(Noun):
    """An action that waits for a person; channels with buttons show approve and reject."""

    block: Literal["consent"] = "consent"
    action: str
    """Action id."""
    digest: str
    label: str
    """What the button would do, exactly."""
    why: str
    """The policy's reason for asking."""


Block = Annotated[Text | Fields | Quote | Items | Steps | Consent, Field(discriminator="block")]


class Occasion(StrEnum):
    """Why somebody is told."""

    opened = "opened"
    changed = "changed"
    resolved = "resolved"
    reopened = "reopened"
    escalated = "escalated"
    digest = "digest"
    report = "report"
    test = "test"


class Message(Noun):
    """One thing to say."""

    key: str
    """Names it for ever: the same occasion of the same incident has the same key, so it is sent once."""
    thread: str
    """What belongs together, e.g. ``INC-7``; channels thread or update in place by it."""
    occasion: Occasion
    title: str
    """One line, plain text."""
    severity: Severity
    blocks: tuple[Block, ...]
    at: UtcTime
    timezone: str = "UTC"
    """IANA zone of the reader."""
