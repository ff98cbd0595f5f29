"""What is remembered as rows of a hub, and the checksums by which both sides are compared."""

import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pydantic_core import to_json

from dogwatch.hub.tables import Column, Table
from dogwatch.model import Incident, Run

Row = dict[str, Any]
"""Column -> value: text, whole number, aware moment, truth, anything that JSON knows, or None."""

_NAMESPACE = uuid.UUID("2f4be8d4-0c4e-5d0f-8a55-7f6b0f6f1c77")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SEPARATOR = "\x1f"


def uid_of(*facts: str) -> str:
    """The same facts always give the same uuid (version 5)."""
    return str(uuid.uuid5(_NAMESPACE, _SEPARATOR.join(facts)))


def run_row(run: Run) -> Row:
    """A row of JOB_STATUS."""
    took = run.duration
    changed, final = run.version
    return {
        "uid": run.uid,
        "job_id": run.job_id,
        "platform": run.platform,
        "job_name": run.job_name,
        "status": run.status.value,
        "last_run_time": run.began_at,
        "duration_seconds": None if took is None else round(took.total_seconds()),
        "error_message": run.error_message,
        "metadata": run.metadata,
        "checked_at": run.observed_at,
        "instance": run.instance,
        "kind": run.kind,
        "native_run_id": run.native_run_id,
        "attempt": run.attempt,
        "parent_uid": run.parent_uid,
        "triggered_by": run.trigger,
        "native_status": run.native_status,
        "scheduled_for": run.scheduled_for,
        "queued_at": run.queued_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "url": run.url,
        "metrics": run.metrics,
        "changed_at": changed,
        "is_final": final,
    }


def incident_row(incident: Incident) -> Row:
    """A row of INCIDENTS."""
    cause = incident.causes[0] if incident.causes else None
    return {
        "uid": uid_of("incident", incident.key, incident.opened_at.isoformat()),
        "name": incident.name,
        "state": incident.state.value,
        "severity": incident.severity.value,
        "title": incident.title,
        "culprit": incident.culprit,
        "culprit_name": incident.culprit_name,
        "cause": None if cause is None else cause.claim,
        "cause_class": None if cause is None or cause.cause_class is None else cause.cause_class.value,
        "confidence": None if cause is None else cause.confidence.value,
        "affected": len(incident.affected),
        "pipelines": incident.pipelines,
        "opened_at": incident.opened_at,
        "began_at": incident.began_at,
        "updated_at": incident.updated_at,
        "resolved_at": incident.resolved_at,
        "acknowledged_by": incident.acknowledged_by,
        "muted": incident.muted,
        "reopened": incident.reopened,
        "version": incident.version,
        "body": incident.model_dump(mode="json"),
    }


def round_uid(number: int, started_at: datetime) -> str:
    """Which round it is, whatever store made it: a store that was lost begins again with number 1."""
    return uid_of("round", str(number), started_at.isoformat())


def round_row(
    number: int,
    started_at: datetime,
    ended_at: datetime | None,
    exit_code: int | None,
    body: Mapping[str, Any],
) -> Row:
    """A row of ROUNDS; ``body`` is what a round that ended remembers."""
    return {
        "uid": round_uid(number, started_at),
        "number": number,
        "started_at": started_at,
        "ended_at": ended_at,
        "exit_code": exit_code,
        "findings": len(body.get("findings") or ()),
        "platforms": body.get("platforms") or [],
    }


def health_rows(number: int, started_at: datetime, body: Mapping[str, Any]) -> Iterator[Row]:
    """Rows of HEALTH_ASSESSMENTS: what one round judged."""
    round_ = round_uid(number, started_at)
    for said in cast("Iterable[Mapping[str, Any]]", body.get("health") or ()):
        kind, scope = said["kind"], said["scope"]
        yield {
            "uid": uid_of(round_, kind, scope),
            "round_uid": round_,
            "kind": kind,
            "scope": scope,
            "overall_health": said["overall_health"],
            "summary": said["summary"],
            "risk_level": said["risk_level"],
            "recommendations": said["recommendations"],
            "requires_notification": said["requires_notification"],
            "notification_priority": said["notification_priority"],
            "findings": said["findings"],
            "assessed_at": datetime.fromisoformat(said["at"]),
        }


# ── as bytes ────────────────────────────────────────────────────────────────────────────────────────────────


def encoded(row: Row) -> bytes:
    """The row as JSON that every database takes: no NUL (PostgreSQL has no such character), no NaN."""
    text = to_json(row, inf_nan_mode="null")
    return text if b"\\u0000" not in text else to_json(_without_nul(row), inf_nan_mode="null")


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {_without_nul(key): _without_nul(one) for key, one in items}
    if isinstance(value, (list, tuple)):
        return [_without_nul(one) for one in cast("Iterable[Any]", value)]
    return value


def first_document(rows: Iterable[Row], largest: int) -> tuple[str, int]:
    """The first rows as a JSON array of at most ``largest`` bytes, and how many they are; a larger row stands
    alone."""
    chosen: list[bytes] = []
    size = 0
    for row in rows:
        text = encoded(row)
        size += len(text) + 1
        if chosen and size > largest:
            break
        chosen.append(text)
    return f"[{b','.join(chosen).decode()}]", len(chosen)


def documents(rows: Sequence[Row], largest: int) -> Iterator[str]:
    """All rows as such arrays."""
    start = 0
    while start < len(rows):
        text, number = first_document(rows[start:], largest)
        yield text
        start += number


# ── checksums ───────────────────────────────────────────────────────────────────────────────────────────────


def digest(table: Table, row: Row) -> str:
    """MD5 over what counts in a comparison; a hub computes the same in SQL from the columns it holds, so that
    it shows if somebody changed one there."""
    said = _SEPARATOR.join([_told(column, row[column.name]) for column in table.compared])
    return hashlib.md5(said.encode(), usedforsecurity=False).hexdigest()


def _told(column: Column, value: Any) -> str:
    """A null is ``-``, any other value begins with ``=``."""
    return "-" if value is None else f"={_TEXTS[column.kind](value)}"


def _text(value: str) -> str:
    return value.replace("\x00", "\ufffd")


def _microseconds(value: datetime) -> str:
    return str((value - _EPOCH) // _MICROSECOND)


def _flag(value: bool) -> str:
    return "true" if value else "false"


_TEXTS: Mapping[str, Callable[[Any], str]] = {
    "text": _text,
    "int": str,
    "time": _microseconds,
    "flag": _flag,
}


def bucket(uid: str) -> str:
    """Rows are compared in 256 buckets, by the first two hexadecimal digits of their uid."""
    return uid[:2]


def checksum(digests: Iterable[tuple[str, str]]) -> str:
    """Over all (uid, digest) of a bucket, in the order of the uid."""
    said = "".join(one for _, one in sorted(digests))
    return hashlib.md5(said.encode(), usedforsecurity=False).hexdigest()
