"""Actions for tests: one to run the shop's orders again."""

from datetime import UTC, datetime, timedelta
from typing import Any

from dogwatch.model import Action, Risk

NOW = datetime(2026, 3, 3, 11, tzinfo=UTC)
"""A Tuesday, noon in Berlin."""


def an_action(**changes: Any) -> Action:
    """``rerun`` of ``airbyte/orders`` for INC-7, proposed at ``NOW``."""
    values: dict[str, Any] = {
        "id": "",
        "connector": "airbyte",
        "verb": "rerun",
        "target": "airbyte/orders",
        "target_name": "Orders PG → RAW",
        "args": {"after": "4711"},
        "risk": Risk.safe,
        "reason": "to make its results anew",
        "cites": ("a" * 16,),
        "incident": 7,
        "proposed_by": "rules",
        "proposed_at": NOW,
        "expires_at": NOW + timedelta(hours=4),
        **changes,
    }
    return Action(**values)
