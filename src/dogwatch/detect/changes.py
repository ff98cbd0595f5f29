"""What was changed: edits of jobs, seen between two looks at them, and changes as something to cite."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from pydantic import JsonValue

from dogwatch.model import Change, ChangeKind, Evidence, EvidenceKind, Job, JobState, Schedule, content_id
from dogwatch.model.text import one_line, span

Version = tuple[Job, datetime, datetime | None]
"""A job with its first and its last sight as it was; None: it still holds."""
_ASLEEP = frozenset({JobState.paused, JobState.suspended})


def job_changes(versions: Sequence[Version]) -> list[Change]:
    """What was edited about one job, by its versions in order of time.

    A job that was created or deleted is no change here. ``at`` is when the edit was first seen; it happened
    after ``not_before``, the last sight of the job as it was.
    """
    found: list[Change] = []
    for (old, begun, ended), (new, seen, _) in pairwise(versions):
        if JobState.deleted in {old.state, new.state}:
            continue
        told = _difference(old, new)
        if told is None:
            continue
        kind, said, now_in_force = told
        found.append(
            Change(
                uid=content_id(["job", new.instance, new.job_id, kind.value, seen.isoformat()]),
                instance=new.instance,
                kind=kind,
                subject=new.subject,
                at=seen,
                not_before=ended or begun,
                summary=f"{one_line(new.name, 80)} {said}",
                version=now_in_force,
                url=new.url,
            )
        )
    return found


def _difference(old: Job, new: Job) -> tuple[ChangeKind, str, str] | None:
    """What sort of edit it is, in words, and what holds since; None if nothing that matters differs."""
    if (old.state in _ASLEEP) != (new.state in _ASLEEP):
        asleep = new.state in _ASLEEP
        why = f" ({one_line(new.state_reason, 120)})" if asleep and new.state_reason else ""
        word = f"was switched off{why}" if asleep else "was switched on"
        return (ChangeKind.paused if asleep else ChangeKind.resumed), word, new.state.value
    if old.schedule != new.schedule:
        before, after = _when(old.schedule), _when(new.schedule)
        return ChangeKind.schedule, f"was rescheduled from {before} to {after}", after
    if old.after != new.after:
        return ChangeKind.edited, "waits for other jobs than before", ", ".join(new.after)[:200]
    if old.name != new.name:
        return ChangeKind.edited, f"was called {one_line(old.name, 80)} before", one_line(new.name, 80)
    return None


def _when(schedule: Schedule | None) -> str:
    if schedule is None:
        return "no schedule"
    if schedule.expression:
        return f"{one_line(schedule.expression, 80)} {one_line(schedule.timezone, 40)}"
    return f"every {span(schedule.every_seconds)}" if schedule.every_seconds else schedule.kind.value


def change_evidence(change: Change) -> Evidence:
    """The change as something to cite."""
    told = change.model_dump(
        mode="json",
        include={"kind", "at", "not_before", "summary", "version", "state", "author", "touches"},
    )
    content: dict[str, JsonValue] = {
        "change": change.uid,
        **{key: value for key, value in told.items() if value},
    }
    return Evidence.of(
        EvidenceKind.change,
        source=change.instance,
        subject=change.subject,
        content=content,
        at=change.at,
        url=change.url,
    )


def concerns(change: Change, subject: str) -> bool:
    """Whether the change is one of this job or component itself, of its platform, or of something that nobody
    has placed and that may be anywhere (``<instance>/<repository>``)."""
    return change.subject in {subject, subject.partition("/")[0]}


def in_time_order(changes: Iterable[Change]) -> list[Change]:
    """Oldest first, each once."""
    return sorted({change.uid: change for change in changes}.values(), key=lambda one: (one.at, one.uid))
