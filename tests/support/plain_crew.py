"""An incident in the lab, and answers of a crew that does its work. Knows no agent framework."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.healing import FOR_GOOD, Ward

ERROR = 'FATAL: password authentication failed for user "sync_user"'
FAULT = f"kind: run_fails, {FOR_GOOD}, error: {json.dumps(ERROR)}"


def in_trouble(folder: Path, *, policy: str = "") -> Ward:
    """A ward in which INC-1 is open: logins are refused since 09:05."""
    return Ward(folder, "airbyte", FAULT, policy)


def evidence_of(ward: Ward) -> list[str]:
    """The ids of INC-1."""

    async def work() -> Sequence[str]:
        async with ward.app() as app:
            return [one.id for one in (await app.incident(1)).evidence]

    return list(ward.does(work()))


def triage(ids: Sequence[str], subject: str, **changes: Any) -> dict[str, Any]:
    """A good answer of triage."""
    return {
        "total_events": 1,
        "errors": [
            {
                "error_id": "E1",
                "timestamp": "2026-03-04T09:10:05Z",
                "component": subject,
                "message": "JOB_1 failed: password authentication failed",
                "severity": "ERROR",
                "evidence": list(ids),
            }
        ],
        "health": {
            "overall_health": "unhealthy",
            "risk_level": "HIGH",
            "requires_notification": True,
            "notification_priority": "high",
        },
        "summary": "JOB_1 failed because its authentication failed.",
        **changes,
    }


def issue(ids: Sequence[str], subject: str, **changes: Any) -> dict[str, Any]:
    """A good claim of root cause."""
    return {
        "error_id": "E1",
        "root_cause": "The password of user sync_user is refused: password authentication failed.",
        "cause_class": "auth_permission",
        "subject": subject,
        "evidence": list(ids),
        "suggested_fix": "Renew the password of the user in the source.",
        **changes,
    }


def analysis(*issues: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """An answer of root cause."""
    return {"issues": list(issues), "patterns": [], "metrics_correlation": [], "not_known": "", **changes}


def line(text: str) -> dict[str, Any]:
    """A sentence of a report about E1."""
    return {"text": text, "issues": ["E1"]}


def report(**changes: Any) -> dict[str, Any]:
    """A good answer of the reporter."""
    return {
        "executive_summary": [line("JOB_1 failed because the password of its user was refused.")],
        "critical_issues": [line("Authentication failed for user sync_user.")],
        "action_items": [line("Renew the password of the user.")],
        "email_subject": line("JOB_1 failed: password refused"),
        "email_opening": line("You need to renew a password."),
        **changes,
    }


def good(ids: Sequence[str], subject: str, **changes: Any) -> dict[str, Any]:
    """A crew that does its work."""
    return {
        "triage": triage(ids, subject),
        "root-cause": analysis(issue(ids, subject)),
        "reporter": report(),
        **changes,
    }
