"""How a run becomes a row and comes back, and how runs are chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dogwatch.model import Run, Status
from dogwatch.store import schema

_RUN_FIELDS = tuple(Run.model_fields)


def run_row(run: Run) -> dict[str, Any]:
    """The run as bound values of the ``runs`` table."""
    row = dict(run.__dict__)
    moment, terminal = run.version
    row["status"] = run.status.value
    row["began_at"] = run.began_at
    row["version_at"] = moment
    row["terminal"] = int(terminal)
    return row


def run_from_row(row: Mapping[Any, Any]) -> Run:
    """The run that a row of the ``runs`` table holds; it was checked on its way in."""
    values = {name: row[name] for name in _RUN_FIELDS}
    values["status"] = Status(values["status"])
    return Run.model_construct(**values)


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
        return wanted
