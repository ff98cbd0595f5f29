"""What Airbyte tells of a sync's attempts: the streams it read, what arrived, and why it failed."""

import re
from typing import Any

from dogwatch.lab.world import LabAttempt, LabRun, Outcome, native_number

_CONFIG_ERROR = re.compile(
    r"permission|denied|privilege|authenticat|credential|password|forbidden|\b40[13]\b", re.I
)
_TRANSIENT = re.compile(
    r"timed? ?out|connection|refused|reset|unavailable|temporar|rate limit|too many|\b50[234]\b", re.I
)
_DESTINATION = re.compile(r"(?i:destination|warehouse|snowflake|bigquery|redshift|staging)|\bRAW\b")


def row_width(job: str) -> int:
    """Bytes of one row."""
    return 90 + native_number("row", job, digits=3)


def stream_names(job: str) -> list[str]:
    """One to three streams named after the job."""
    key = job.partition("/")[2]
    return [key, f"{key}_items", f"{key}_events"][: 1 + native_number("streams", job) % 3]


def stream_stats(run: LabRun, number: int, attempt: LabAttempt) -> list[dict[str, Any]]:
    """The attempt's rows spread over the streams; a failed one has read some that never arrived."""
    names = stream_names(run.job)
    share, left = divmod(attempt.rows, len(names))
    found: list[dict[str, Any]] = []
    for index, name in enumerate(names):
        committed = share + (left if index == 0 else 0)
        pending = 0
        if attempt.outcome is not Outcome.success:
            pending = native_number("emitted", run.job, str(run.number), str(number), name) % 5000
        stats = {"recordsEmitted": committed + pending, "recordsCommitted": committed}
        found.append({"streamName": name, "stats": stats})
    return found


def failure(attempt: LabAttempt) -> dict[str, Any]:
    """Why an attempt failed, sorted by its words into Airbyte's types and origins."""
    if attempt.outcome is Outcome.cancelled:
        told = attempt.error or "The sync was cancelled by a user."
        return _reason("manual_cancellation", "airbyte_platform", told, retryable=False)
    if attempt.outcome is Outcome.timed_out:
        told = attempt.error or "The source sent no records for longer than the heartbeat threshold allows."
        return _reason("heartbeat_timeout", "source", told, retryable=True)
    told = attempt.error or "Something went wrong in the connector. See the logs for more details."
    origin = "destination" if _DESTINATION.search(told) else "source"
    if _CONFIG_ERROR.search(told):
        return _reason("config_error", origin, told, retryable=False)
    kind = "transient_error" if _TRANSIENT.search(told) else "system_error"
    return _reason(kind, origin, told, retryable=True)


def _reason(kind: str, origin: str, told: str, *, retryable: bool) -> dict[str, Any]:
    messages = {"externalMessage": told, "internalMessage": told}
    return {"failureType": kind, "failureOrigin": origin, **messages, "retryable": retryable}
