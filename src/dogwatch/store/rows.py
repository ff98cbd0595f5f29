"""How a run becomes a row and comes back, and how runs are chosen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, cast

import sqlalchemy as sa
from pydantic_core import from_json, to_json

from dogwatch.model import Run, Status
from dogwatch.model.run import run_of
from dogwatch.store import schema

_RUN_FIELDS = tuple(Run.model_fields)
RUN_COLUMNS = _RUN_FIELDS
"""What ``run_from_text`` wants, in its order."""
_values = cast("Callable[[dict[str, Any]], tuple[Any, ...]]", itemgetter(*_RUN_FIELDS))
_WORDS = {status: status.value for status in Status}
_TERMINAL = {status: 0 if status.open else 1 for status in Status}
_STATUSES = {status.value: status for status in Status}
_MOMENTS = tuple(index for index, name in enumerate(_RUN_FIELDS) if name.endswith(("_at", "_for")))
_STATUS, _METRICS, _METADATA = (_RUN_FIELDS.index(name) for name in ("status", "metrics", "metadata"))


def run_row(run: Run, number: int) -> tuple[str | int | None, ...]:
    """The run as it is stored, in the order of the ``runs`` table's columns, as round ``number`` saw it.

    This is the hot path of a round: it does by hand what the column types would do (``Moment`` to text of
    fixed width, JSON to text), at a third of the time.
    """
    (uid, platform, instance, job_id, job_name, kind, native_run_id, attempt, parent_uid, trigger, status,
     native_status, scheduled_for, queued_at, started_at, ended_at, updated_at, error_message, metrics, url,
     metadata, observed_at) = _values(vars(run))  # fmt: skip
    scheduled_for, queued_at, started_at = (
        moment_text(scheduled_for),
        moment_text(queued_at),
        moment_text(started_at),
    )
    ended_at, updated_at, observed_at = (
        moment_text(ended_at),
        moment_text(updated_at),
        moment_text(observed_at),
    )
    return (
        uid,
        platform,
        instance,
        job_id,
        job_name,
        kind,
        native_run_id,
        attempt,
        parent_uid,
        trigger,
        _WORDS[status],
        native_status,
        scheduled_for,
        queued_at,
        started_at,
        ended_at,
        updated_at,
        error_message,
        to_json(metrics).decode() if metrics else "{}",
        url,
        to_json(metadata).decode() if metadata else "{}",
        observed_at,
        started_at or queued_at or scheduled_for or ended_at or observed_at,
        updated_at or ended_at or started_at or queued_at or scheduled_for or observed_at,
        _TERMINAL[status],
        number,
    )


@lru_cache(maxsize=64)
def moment_text(moment: datetime | None) -> str | None:
    """A moment as ``schema.Moment`` stores it.

    Remembered, because a run has the same moment in several columns, and all runs of a round were observed at
    one.
    """
    return None if moment is None else moment.astimezone(UTC).isoformat("T", "microseconds")


def run_from_row(row: Mapping[Any, Any]) -> Run:
    """The run that a row of the ``runs`` table holds; it was checked on its way in."""
    values = {name: row[name] for name in _RUN_FIELDS}
    values["status"] = Status(values["status"])
    return Run.model_construct(**values)


def run_from_text(row: Sequence[Any]) -> Run:
    """The same from what SQLite itself gives, in the order of ``RUN_COLUMNS``: much of it is read in every
    round, and this takes a third of the time."""
    values = list(row)
    for index in _MOMENTS:
        if values[index] is not None:
            values[index] = datetime.fromisoformat(values[index])
    values[_STATUS] = _STATUSES[values[_STATUS]]
    for index in (_METRICS, _METADATA):
        values[index] = {} if values[index] == "{}" else from_json(values[index])
    return run_of(dict(zip(_RUN_FIELDS, values, strict=True)))


def run_from_values(row: Sequence[Any]) -> Run:
    """The same from what PostgreSQL's driver gives: moments and JSON are read already."""
    values = list(row)
    values[_STATUS] = _STATUSES[values[_STATUS]]
    return run_of(dict(zip(_RUN_FIELDS, values, strict=True)))


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are wanted; None means any."""

    platform: str | None = None
    """The connector's kind or its name."""
    job: str | None = None
    """A part of the job's name, or its whole id; case does not matter."""
    status: tuple[Status, ...] = ()
    since: datetime | None = None
    """Runs that began at or after this."""
    limit: int = 50
    before: str | None = None
    """Uid of a run: those behind it in the order in which they are listed; none if it is not known."""

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """The WHERE clauses."""
        table = schema.runs
        wanted: list[sa.ColumnElement[bool]] = []
        if self.platform is not None:
            wanted.append(sa.or_(table.c.platform == self.platform, table.c.instance == self.platform))
        if self.job is not None:
            wanted.append(
                sa.or_(table.c.job_id == self.job, table.c.job_name.icontains(self.job, autoescape=True))
            )
        if self.status:
            wanted.append(table.c.status.in_([status.value for status in self.status]))
        if self.since is not None:
            wanted.append(table.c.began_at >= self.since)
        if self.before is not None:
            wanted.append(behind(self.before))
        return wanted


def behind(uid: str) -> sa.ColumnElement[bool]:
    """Runs that stand behind this one where the newest comes first."""
    table, other = schema.runs, schema.runs.alias()
    began = sa.select(other.c.began_at).where(other.c.uid == uid).scalar_subquery()
    attempt = sa.select(other.c.attempt).where(other.c.uid == uid).scalar_subquery()
    later = sa.or_(table.c.attempt < attempt, sa.and_(table.c.attempt == attempt, table.c.uid < uid))
    return sa.and_(table.c.began_at <= began, sa.or_(table.c.began_at < began, later))
