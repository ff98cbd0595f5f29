"""What Databricks can be asked to do: run now, repair, cancel, and change a job's settings (Jobs API 2.2)."""

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from starlette.requests import Request

from dogwatch.lab.databricks_records import RunRecord, Wire, run_number
from dogwatch.lab.world import Asked, LabJob, Wish, World, native_number

Act = Callable[[Mapping[str, Any]], Wire]


class Refused(Exception):
    """The workspace's no: HTTP status, error code and message."""

    def __init__(self, message: str, code: str | int = "INVALID_PARAMETER_VALUE", status: int = 400) -> None:
        super().__init__(message)
        self.body = {"error_code": code, "message": message}
        self.status = status


async def posted(request: Request) -> Mapping[str, Any]:
    """The body, which has to be a JSON object."""
    try:
        body: Any = json.loads(await request.body() or b"{}")
    except ValueError:
        raise Refused("Could not parse request object.", 400) from None
    if not isinstance(body, dict):
        raise Refused("Could not parse request object.", 400)
    return cast("dict[str, Any]", body)


class DatabricksActs:
    """The calls that change something. ``job_of`` and ``visible`` find what exists, or refuse."""

    def __init__(
        self, world: World, job_of: Callable[[object], LabJob], visible: Callable[[int], RunRecord]
    ) -> None:
        self._world = world
        self._job_of = job_of
        self._visible = visible
        self._by_token: dict[str, Wire] = {}

    @property
    def by_path(self) -> Mapping[str, Act]:
        """Path -> what answers it."""
        return {
            "jobs/run-now": self._run_now,
            "jobs/runs/repair": self._repair,
            "jobs/runs/cancel": self._cancel,
            "jobs/update": self._update,
        }

    def _run_now(self, body: Mapping[str, Any]) -> Wire:
        token = str(body.get("idempotency_token", ""))
        if len(token) > 64:
            raise Refused("The idempotency_token can have at most 64 characters.")
        if token and token in self._by_token:
            return self._by_token[token]
        job = self._job_of(body.get("job_id"))
        self._ask(job.job, Wish.run)
        run = next(run for run in reversed(self._world.runs_of("databricks")) if run.job == job.job)
        number = run_number(run, 0)
        answer: Wire = {"run_id": number, "number_in_job": number}
        if token:
            self._by_token[token] = answer
        return answer

    def _repair(self, body: Mapping[str, Any]) -> Wire:
        native = self._visible(_number(body))
        if bool(body.get("rerun_all_failed_tasks")) == bool(body.get("rerun_tasks")):
            raise Refused("Exactly one of rerun_tasks and rerun_all_failed_tasks has to be given.")
        begun = native.begun(self._world.now)
        if not begun or begun[-1][1] is None:
            raise Refused(f"Run {native.run_id} is active and cannot be repaired.")
        latest = _repair_id(native, len(begun) - 1) if len(begun) > 1 else None
        if body.get("latest_repair_id") != latest:
            raise Refused("latest_repair_id does not name the latest repair of the run.")
        self._ask(native.run.job, Wish.repair, native)
        return {"repair_id": _repair_id(native, len(begun))}

    def _cancel(self, body: Mapping[str, Any]) -> Wire:
        native = self._visible(_number(body))
        self._ask(native.run.job, Wish.cancel, native)
        return {}

    def _update(self, body: Mapping[str, Any]) -> Wire:
        job = self._job_of(body.get("job_id"))
        new: Any = body.get("new_settings")
        parts: list[Any] = list(cast("dict[str, Any]", new).values()) if isinstance(new, dict) else []
        told = [cast("dict[str, Any]", part).get("pause_status") for part in parts if isinstance(part, dict)]
        if told not in (["PAUSED"], ["UNPAUSED"]):
            raise Refused("new_settings: nothing that can be changed here.")
        self._ask(job.job, Wish.pause if told == ["PAUSED"] else Wish.resume)
        return {}

    def _ask(self, job: str, wish: Wish, native: RunRecord | None = None) -> None:
        created = native.run.created if native else None
        self._world.ask(Asked(self._world.now, job, wish, created))


def _number(body: Mapping[str, Any]) -> int:
    number = body.get("run_id")
    return number if isinstance(number, int) else 0


def _repair_id(native: RunRecord, nth: int) -> int:
    return native_number("databricks repair", str(native.run_id), str(nth), digits=15)
