"""The fixed cast: the shop's jobs and runs, for tests that need some."""

from datetime import UTC, datetime, timedelta
from typing import Any

from dogwatch.model import Job, Run, Status, run_uid

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def a_run(number: int = 1, status: Status = Status.success, **changes: Any) -> Run:
    """A run of the shop's ``orders`` job: run ``number`` began that many hours after noon and took 10 min."""
    began = NOON + timedelta(hours=number)
    values: dict[str, Any] = {
        "platform": "airbyte",
        "instance": "airbyte",
        "job_id": "orders",
        "job_name": "Orders PG → RAW",
        "native_run_id": str(number),
        "attempt": 1,
        "status": status,
        "native_status": status.value,
        "started_at": began,
        "ended_at": None if status.open else began + timedelta(minutes=10),
        "observed_at": began + timedelta(minutes=15),
        **changes,
    }
    values.setdefault(
        "uid",
        run_uid(*(values[key] for key in ("platform", "instance", "job_id", "native_run_id", "attempt"))),
    )
    return Run(**values)


def a_job(job_id: str = "orders", **changes: Any) -> Job:
    """One of the shop's jobs."""
    values = {"platform": "airbyte", "instance": "airbyte", "job_id": job_id, "name": f"The {job_id} sync"}
    return Job(**{**values, "observed_at": NOON, **changes})
