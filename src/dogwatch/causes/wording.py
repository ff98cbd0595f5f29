"""Causes as a tired person would want to read them: our words, and what was said in quotes."""

from collections.abc import Mapping, Sequence

from dogwatch.model import CauseClass, Confidence, Evidence, Finding
from dogwatch.model.signal import COMPONENT
from dogwatch.model.text import one_line, plural

_BECAUSE: Mapping[CauseClass, str] = {
    CauseClass.auth_permission: "its credentials or rights were not accepted",
    CauseClass.bad_data: "it was given data that it cannot take",
    CauseClass.code_bug: "its code or query is at fault",
    CauseClass.concurrency_lock: "something else held what it needed",
    CauseClass.config_error: "a setting of it is wrong or missing",
    CauseClass.dependency_outage: "what it depends on was not available",
    CauseClass.network_timeout: "an answer did not come in time",
    CauseClass.platform_fault: "the platform itself had a fault",
    CauseClass.quota_rate_limit: "an allowance is used up",
    CauseClass.resource_exhaustion: "resources ran out",
    CauseClass.schema_drift: "columns or types are not what it expects",
    CauseClass.upstream_missing: "something that it needs is not there",
}
_PHRASE = 120
_DID: Mapping[str, str] = {
    "failed": "failed",
    "flapping": "keeps failing and recovering",
    "cancelled": "was cancelled",
    "unknown_status": "is in a state that nobody here knows",
    "missed": "was not run when it was due",
    "late": "began late",
    "skipped": "was skipped by its platform",
    "slow": "takes far longer than usual",
    "fast": "was done far sooner than usual",
    "empty": "moved nothing",
    "few_rows": "moved far less than usual",
    "few_bytes": "moved far less than usual",
    "many_rows": "moved far more than usual",
    "many_bytes": "moved far more than usual",
    "duplicated": "was started twice",
    "retries": "needed more tries than usual",
    "blind": "cannot be read",
    "paused": "was switched off",
    "suspended": "was switched off by its platform",
    "schedule_changed": "was given another schedule",
    "log_new": "says something new in its log",
    "log_surge": "says one thing far more often than usual",
    "log_vanished": "no longer says what it usually says",
    "shift": "is not at its usual level",
    "threshold": "is beyond its limit",
    "alert": "is alerted on",
}
_SETTLE: Mapping[str, str] = {
    "missed": "the platform's own record of that time: was it held, switched off, or never asked to start?",
    "late": "what it waited for: the platform's queue at that time",
    "skipped": "why the platform skipped it: the reason it shows beside the run",
    "slow": "what it is busy with: the run's own log, or the plan of the query that it is at",
    "fast": "what it left out: the run's own log",
    "empty": "what its source held at that time: count there what it should have moved",
    "few_rows": "what its source held at that time: count there what it should have moved",
    "few_bytes": "what its source held at that time: count there what it should have moved",
    "cancelled": "who or what ended it: the platform's audit log",
    "duplicated": "who or what started the second run: its trigger",
}


def claim(
    name: str,
    findings: Sequence[Finding],
    cause_class: CauseClass | None,
    phrase: str,
    changes: Sequence[Evidence],
    jobs: int,
) -> str:
    """One sentence: the subject, what it did, why, and in whose words."""
    rule, name = findings[0].rule, name.removeprefix(COMPONENT)
    if jobs:
        did = f"{plural(jobs, 'job')} of {one_line(name, 80)} are in the same trouble"
    else:
        did = f"{one_line(name, 80)} {_DID.get(rule, 'is not as usual')}"
    why = ""
    if phrase and cause_class is not None:
        why = f": {_BECAUSE[cause_class]} (“{one_line(phrase, _PHRASE)}”)"
    elif rule == "skipped":
        why = f": {_BECAUSE[CauseClass.upstream_missing]}"
    elif not changes and rule not in {"paused", "suspended", "schedule_changed"}:
        why = "; nothing that was read says why"
    return f"{did}{why}{_after(changes)}"


def _after(changes: Sequence[Evidence]) -> str:
    if not changes:
        return ""
    change = changes[-1]
    return f"; just before: {what_changed(change)} ({change.at:%d %b %H:%M} UTC)"


def what_changed(change: Evidence) -> str:
    """A change in a few words."""
    told = change.content.get("summary")
    return (
        one_line(told, 100).rstrip(".") if isinstance(told, str) and told else f"a change of {change.subject}"
    )


def settle(name: str, findings: Sequence[Finding], sure: Confidence, cause_class: CauseClass | None) -> str:
    """What would settle it; empty if it is confirmed."""
    if sure is Confidence.confirmed:
        return ""
    first = findings[0]
    where = first.url or first.next_step
    what = _SETTLE.get(first.rule, f"the full log of {one_line(name, 80)} around that time")
    if cause_class is not None and first.rule not in _SETTLE:
        what = f"whether it says the same when it is tried again, and the full log of {one_line(name, 80)}"
    return f"{what} ({where})" if where else what
