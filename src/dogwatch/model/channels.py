"""What ``dogwatch notify`` answers: how each channel is, and what came of a test."""

from typing import Literal

from dogwatch.model.base import Noun, UtcTime


class ChannelView(Noun):
    """One configured channel."""

    channel: str
    """Its name in dogwatch.yaml."""
    kind: str
    title: str
    state: Literal["on", "failing", "off"]
    """``failing``: the last message could not be delivered, the next one is tried; ``off``: nothing is."""
    since: UtcTime | None = None
    """Since when, if it is not on."""
    reason: str = ""
    hint: str = ""
    instead: str | None = None
    """The channel that gets its messages meanwhile."""
    waiting: int = 0
    """Messages to be sent."""
    held: int = 0
    """Messages kept back for a digest, for the end of quiet hours, or until the channel works again."""
    sent: int = 0
    failed: int = 0
    """Messages that were refused, with no other channel to take them."""
    doubled: int = 0
    """Messages of the last day that may have arrived twice."""
    alerts: int = 0
    """Alerts of the last hour that count against the budget."""
    budget: int = 0
    quiet_until: UtcTime | None = None
    last_sent_at: UtcTime | None = None
    last_error: str = ""
    """Of messages that still wait."""


class ChannelsReport(Noun):
    """The answer of ``dogwatch notify status``."""

    format: Literal["dogwatch.notify/1"] = "dogwatch.notify/1"
    at: UtcTime
    timezone: str
    channels: tuple[ChannelView, ...] = ()
    untold: int = 0
    """Messages of the last day that no channel was meant for."""


class TrialReport(Noun):
    """The answer of ``dogwatch notify test``."""

    format: Literal["dogwatch.notify.test/1"] = "dogwatch.notify.test/1"
    at: UtcTime
    channel: str
    ok: bool
    landed: str = ""
    """Where the message landed, in the channel's words."""
    error: str = ""
    hint: str = ""
