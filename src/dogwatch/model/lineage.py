"""How an OpenLineage server is told of runs."""

from dogwatch.model.base import Noun, UtcTime


class LineageView(Noun):
    """What came of telling it in one round, and what is left."""

    place: str = ""
    """Its URL; empty if it cannot even be opened."""
    runs: int = 0
    """Run attempts that it was told of."""
    refused: int = 0
    """Events that it will never take."""
    refusal: str = ""
    """Why it refused one of them, in its words."""
    waiting: int = 0
    """Run attempts that it has not heard of yet."""
    since: UtcTime | None = None
    """Out of reach since then; None if it answers."""
    reason: str = ""
    """Why it cannot be told."""
    hint: str = ""
