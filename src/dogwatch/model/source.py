"""A source: what dogwatch knows about its own sight of one platform."""

from dogwatch.model.base import Noun, UtcTime


class Source(Noun):
    """One configured connector and how far it has been read."""

    instance: str
    """The connector's name in dogwatch.yaml."""
    platform: str
    """Its kind."""
    first_read_at: UtcTime | None = None
    """When it was first read whole; None: its history is not learned yet."""
    read_until: UtcTime | None = None
    """The time of the last round that read it whole; before it nothing can have been missed."""
    watermark: UtcTime | None = None
    """Runs created before this have been read; never ahead of the platform's own newest time."""
    blind_since: UtcTime | None = None
    """The round since which it cannot be read; None while it can."""
    blind_reason: str = ""
    """What came instead of an answer."""
    blind_hint: str = ""
    """What to do about it."""
    skew_seconds: float | None = None
    """The platform's clock minus ours, None if it never said."""
    caveats: tuple[str, ...] = ()
    """What this platform cannot show."""
    judged_until: UtcTime | None = None
    """Up to here it is judged whether runs are missing; None: not judged yet, its past is being learned."""
    resume: str | None = None
    """Where its connector goes on with what it looks up in turn, in its own words; None: it left nothing for
    later."""
