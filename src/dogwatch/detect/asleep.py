"""Jobs that somebody or their platform switched off, and schedules that were edited."""

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from pydantic import JsonValue

from dogwatch.detect.expect import JobVersion, Past
from dogwatch.detect.facts import Detection, JobKey
from dogwatch.detect.schedule import due
from dogwatch.model import (
    Evidence,
    EvidenceKind,
    Finding,
    Job,
    JobState,
    Schedule,
    ScheduleKind,
    Severity,
    content_id,
)
from dogwatch.model.text import one_line, plural

_OFF = frozenset({JobState.paused, JobState.suspended})
_NEWS = timedelta(days=7)
"""After so long a paused job is a decision, not an accident."""
_EDIT_NEWS = timedelta(days=1)
_CLOCKS = frozenset({ScheduleKind.cron, ScheduleKind.quartz})


def asleep(pasts: Mapping[JobKey, Past], now: datetime, found: Detection, zone: tzinfo = UTC) -> None:
    """One finding for each job that was switched off while dogwatch watched; switching it on ends it.

    A note until the first run is lost to it and again after a week; a warning in between, an error if the
    platform did it. ``zone`` is the reader's.
    """
    for past in pasts.values():
        off = _switched_off(past)
        if off is None:
            continue
        before, since = off
        job = past.versions[-1].job
        lost = _lost(before, since, now)
        by_platform = job.state is JobState.suspended
        severity = Severity.ERROR if by_platform else Severity.WARNING
        if lost == 0 or now - since > _NEWS:
            severity = Severity.INFO
        rule = job.state.value
        content: dict[str, JsonValue] = {
            "state": rule,
            "was": before.state.value,
            "seen_at": since.isoformat(),
        }
        if job.state_reason:
            content["reason"] = one_line(job.state_reason)
        found.add(
            [
                Finding(
                    rule=rule,
                    subject=job.subject,
                    severity=severity,
                    summary=_sentence(job, since, lost, zone),
                    evidence=found.cite(_change(job, content, since)),
                    fingerprint=content_id([rule, job.subject]),
                    at=since,
                    url=job.url,
                    next_step=job.url or f"dogwatch schedule {shlex.quote(job.job_id)}",
                )
            ]
        )


def edited(pasts: Mapping[JobKey, Past], now: datetime, found: Detection, zone: tzinfo = UTC) -> None:
    """One finding for each job whose schedule was edited within the last day: a note, unless runs that the
    former schedule would have brought are missing since."""
    for past in pasts.values():
        ends = [version.valid_from for version in past.versions[2:]] + [now]
        for earlier, later, end in zip(past.versions, past.versions[1:], ends, strict=False):
            job, since = later.job, later.valid_from
            if earlier.job.schedule == job.schedule or now - since > _EDIT_NEWS or _OFF & {job.state}:
                continue
            was, now_is = _told(earlier.job.schedule), _told(job.schedule)
            former, present = _lost(earlier.job, since, end), _lost(job, since, end)
            fewer = 0 if former is None or present is None else max(0, former - present)
            content: dict[str, JsonValue] = {"schedule": now_is, "was": was, "fewer_runs": fewer}
            lost = f"; {plural(fewer, 'run')} fewer since than before" if fewer else ""
            found.add(
                [
                    Finding(
                        rule="schedule_changed",
                        subject=job.subject,
                        severity=Severity.WARNING if fewer else Severity.INFO,
                        summary=f"{one_line(job.name, 80)} has a new schedule: {now_is}, before: {was}"
                        f" (seen {_clock(since, zone)}){lost}",
                        evidence=found.cite(_change(job, content, since)),
                        fingerprint=content_id(["schedule_changed", job.subject, was, now_is]),
                        at=since,
                        url=job.url,
                        next_step=f"dogwatch schedule {shlex.quote(job.job_id)}",
                    )
                ]
            )


def _switched_off(past: Past) -> tuple[Job, datetime] | None:
    """The job as it was before it was switched off, and when that was seen; None if it was not, or is on."""
    versions = past.versions
    if not versions or versions[-1].job.state not in _OFF:
        return None
    first_off: JobVersion = versions[-1]
    for version in reversed(versions):
        if version.job.state not in _OFF:
            return version.job, first_off.valid_from
        first_off = version
    return None


def _lost(before: Job, since: datetime, now: datetime) -> int | None:
    """How many runs its schedule would have brought since; None if that cannot be said."""
    schedule = before.schedule
    if schedule is None:
        return None
    if schedule.kind is ScheduleKind.interval and schedule.every_seconds:
        return int((now - since).total_seconds() // schedule.every_seconds)
    if schedule.kind not in _CLOCKS:
        return None
    try:
        return len(due(schedule, before.platform, since, now))
    except ValueError:
        return None


def _sentence(job: Job, since: datetime, lost: int | None, zone: tzinfo) -> str:
    did = "was suspended by its platform" if job.state is JobState.suspended else "was paused"
    why = f" ({one_line(job.state_reason, 120)})" if job.state_reason else ""
    runs = (
        ""
        if lost is None
        else f"; {plural(lost, 'run')} did not happen since"
        if lost
        else "; none is lost yet"
    )
    return f"{one_line(job.name, 80)} {did}{why}, seen {_clock(since, zone)}{runs}"


def _change(job: Job, content: dict[str, JsonValue], at: datetime) -> Evidence:
    return Evidence.of(
        EvidenceKind.change, source=job.instance, subject=job.subject, content=content, at=at, url=job.url
    )


def _told(schedule: Schedule | None) -> str:
    """A schedule as its platform words it."""
    if schedule is None:
        return "none told"
    if schedule.kind in _CLOCKS:
        return f"{one_line(schedule.expression, 80)} {one_line(schedule.timezone, 40)}"
    if schedule.every_seconds:
        return f"every {schedule.every_seconds:g} s"
    return schedule.kind.value


def _clock(moment: datetime, zone: tzinfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%d %b %H:%M} {local.tzname() or 'UTC'}"
