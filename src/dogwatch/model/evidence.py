"""Evidence: the only thing that anyone may cite."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import JsonValue

from dogwatch.model.base import Noun, UtcTime


class EvidenceKind(StrEnum):
    """What sort of fact it is."""

    run = "run"
    log = "log"
    metric = "metric"
    change = "change"
    alert = "alert"
    """A monitoring alert, or our own failed attempt to read a platform."""
    lineage = "lineage"
    runbook = "runbook"


class Evidence(Noun):
    """One fact with its source. Same content, same id; nobody can change it after citing it."""

    id: str
    """First 16 hex digits of the SHA-256 of kind, source, subject and content."""
    kind: EvidenceKind
    source: str
    """Where it was read: the connector's name and the call or the table."""
    subject: str
    """The job or platform it is about (see ``model.run.job_subject``)."""
    content: Mapping[str, JsonValue]
    """The fact itself, as read."""
    at: UtcTime
    """When the fact happened, as far as known; not part of the id."""
    url: str | None = None

    @classmethod
    def of(
        cls,
        kind: EvidenceKind,
        *,
        source: str,
        subject: str,
        content: Mapping[str, JsonValue],
        at: datetime,
        url: str | None = None,
    ) -> "Evidence":
        """Make evidence and give it the id that its content demands."""
        return cls(
            id=content_id([kind.value, source, subject, dict(content)]),
            kind=kind,
            source=source,
            subject=subject,
            content=content,
            at=at,
            url=url,
        )


def content_id(value: JsonValue) -> str:
    """A short stable name for a JSON value: the same on every machine and in every process."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]
