"""An event: something that was decided or done, in a chain that shows any later edit."""

import hashlib
import json
from collections.abc import Mapping

from pydantic import JsonValue

from dogwatch.model.base import Noun, UtcTime

GENESIS = "0" * 64
"""What the first event names as the one before it."""


class Event(Noun):
    """One line of the record. Append-only: each holds the hash of the one before."""

    seq: int
    """Counted from 1 without gaps."""
    at: UtcTime
    actor: str
    """Who: ``rules``, ``policy``, ``agent:<name>``, or a person as ``user:<name>``."""
    kind: str
    """What, as ``<noun>.<verb>``, e.g. ``incident.opened``, ``action.approved``, ``message.sent``."""
    subject: str
    """What it is about: ``INC-7``, an action's id, a job."""
    detail: Mapping[str, JsonValue]
    """The facts. Never a secret."""
    previous: str
    """Hash of the event before."""
    hash: str
    """SHA-256 over all other fields, see ``chained``."""


def chained(event_without_hash: Mapping[str, JsonValue]) -> str:
    """The hash of an event: SHA-256, in hex, of its fields except ``hash`` as canonical JSON."""
    canonical = json.dumps(event_without_hash, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
