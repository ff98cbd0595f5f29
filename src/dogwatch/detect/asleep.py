"""Jobs that somebody or their platform switched off, and schedules that were edited: while dogwatch watched,
or, as their own runs tell, shortly before it first saw them (``detect.before``)."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from pydantic import JsonValue

from dogwatch.detect.before import CLOCKS, Formerly, formerly, rescheduled
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


@dataclass(frozen=True, slots=True)
class _Off:
    """A job that is switched off."""

    was: str
    since: datetime
    """When that was first seen."""
    lost: int | None
    """Runs that would have come since; None if that cannot be said."""
    former: Formerly | None = None
    """How it lived before, if it was off already when it was first seen."""


def asleep(
    pasts: Mapping[JobKey, Past], now: datetime, found: Detection, zone: tzinfo = UTC, timezone: str = "UTC"
) -> None:
    """One finding for each job that was switched off while dogwatch watched, or shortly before; switching it
    on ends it.

    A note until the first run is lost to it and again after a week; a warning in between, an error if the
    platform did it. ``zone`` is the reader's, ``timezone`` its name.
    """
    for past in pasts.values():
        off = _switched_off(past, now, timezone)
        if off is None:
            continue
        since, lost = off.since, off.lost
        job = past.versions[-1].job
        by_platform = job.state is JobState.suspended
        severity = Severity.ERROR if by_platform else Severity.WARNING
        if lost == 0 or now - since > _NEWS:
            severity = Severity.INFO
        rule = job.state.value
        content: dict[str, JsonValue] = {
            "state": rule,
            "was": off.was,
            "seen_at": since.isoformat(),
        }
        if off.former is not None:
            content["last_run"] = off.former.last.isoformat()
        if job.state_reason:
            content["reason"] = one_line(job.state_reason)
        found.add(
            [
                Finding(
                    rule=rule,
                    subject=job.subject,
                    severity=severity,
                    summary=_sentence(job, off, zone),
                    evidence=found.cite(_change(job, content, since)),
                    fingerprint=content_id([rule, job.subject]),
                    at=since,
                    url=job.url,
                    next_step=job.url or f"dogwatch schedule {shlex.quote(job.job_id)}",
                )
            ]
        )


def edited(
    pasts: Mapping[JobKey, Past], now: datetime, found: Detection, zone: tzinfo = UTC, timezone: str = "UTC"
) -> None:
    """One finding for each job whose schedule was edited within the last day, or shortly before it was first
    seen: a note, unless runs that the former schedule would have brought are missing since."""
    for past in pasts.values():
        ends = [version.valid_from for version in past.versions[2:]] + [now]
        for earlier, later, end in zip(past.versions, past.versions[1:], ends, strict=False):
            job, since = later.job, later.valid_from
            if earlier.job.schedule == job.schedule or now - since > _EDIT_NEWS or _OFF & {job.state}:
                continue
            former, present = _lost(earlier.job, since, end), _lost(job, since, end)
            fewer = 0 if former is None or present is None else max(0, former - present)
            _tell_edit(job, _told(earlier.job.schedule), since, fewer, found, zone)
        _edited_before(past, now, found, zone, timezone)


def _edited_before(past: Past, now: datetime, found: Detection, zone: tzinfo, timezone: str) -> None:
    """The finding about a job whose runs followed another clock than the schedule that was first seen."""
    if len(past.versions) != 1:
        return
    job, since = past.versions[0].job, past.versions[0].valid_from
    if now - since > _EDIT_NEWS or job.state in _OFF:
        return
    former = formerly(past, timezone) if rescheduled(past) else None
    if former is None:
        return
    present = _lost(job, former.last, now)
    fewer = 0 if present is None else max(0, former.lost(now) - present)
    _tell_edit(job, f"{former.habit.words()}, as its runs show", since, fewer, found, zone, "its runs")


def _tell_edit(
    job: Job, was: str, since: datetime, fewer: int, found: Detection, zone: tzinfo, mark: str = ""
) -> None:
    """``mark`` stands for ``was`` in the fingerprint, where the words may change from round to round."""
    now_is = _told(job.schedule)
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
                fingerprint=content_id(["schedule_changed", job.subject, mark or was, now_is]),
                at=since,
                url=job.url,
                next_step=f"dogwatch schedule {shlex.quote(job.job_id)}",
            )
        ]
    )


def _switched_off(past: Past, now: datetime, timezone: str) -> _Off | None:
    """Since when a job is off, and what that cost; None if it is on, or if it had no life of late before."""
    versions = past.versions
    if not versions or versions[-1].job.state not in _OFF:
        return None
    first_off: JobVersion = versions[-1]
    for version in reversed(versions):
        if version.job.state not in _OFF:
            since = first_off.valid_from
            return _Off(version.job.state.value, since, _lost(version.job, since, now))
        first_off = version
    former = formerly(past, timezone)
    if former is None:
        return None
    return _Off(JobState.active.value, former.seen, former.lost(now), former)


def _lost(before: Job, since: datetime, now: datetime) -> int | None:
    """How many runs its schedule would have brought since; None if that cannot be said."""
    schedule = before.schedule
    if schedule is None:
        return None
    if schedule.kind is ScheduleKind.interval and schedule.every_seconds:
        return int((now - since).total_seconds() // schedule.every_seconds)
    if schedule.kind not in CLOCKS:
        return None
    try:
        return len(due(schedule, before.platform, since, now))
    except ValueError:
        return None


def _sentence(job: Job, off: _Off, zone: tzinfo) -> str:
    did, lost = "was suspended by its platform" if job.state is JobState.suspended else "was paused", off.lost
    why = f" ({one_line(job.state_reason, 120)})" if job.state_reason else ""
    runs = (
        ""
        if lost is None
        else f"; {plural(lost, 'run')} did not happen since"
        if lost
        else "; none is lost yet"
    )
    seen = f"seen {_clock(off.since, zone)}"
    if off.former is not None:
        seen = f"before it was first {seen}, after its run of {_clock(off.former.last, zone)}"
    return f"{one_line(job.name, 80)} {did}{why}, {seen}{runs}"


def _change(job: Job, content: dict[str, JsonValue], at: datetime) -> Evidence:
    return Evidence.of(
        EvidenceKind.change, source=job.instance, subject=job.subject, content=content, at=at, url=job.url
    )


def _told(schedule: Schedule | None) -> str:
    """A schedule as its platform words it."""
    if schedule is None:
        return "none told"
    if schedule.kind in CLOCKS:
        return f"{one_line(schedule.expression, 80)} {one_line(schedule.timezone, 40)}"
    if schedule.every_seconds:
        return f"every {schedule.every_seconds:g} s"
    return schedule.kind.value


def _clock(moment: datetime, zone: tzinfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%d %b %H:%M} {local.tzname() or 'UTC'}"
