"""What Airbyte can be asked to do: start a sync, cancel one, switch a connection; and how it refuses."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dogwatch.lab.world import Asked, LabJob, LabRun, Wish, World


class Problem(Exception):
    """A refusal in the shape of RFC 9457, as Airbyte words it."""

    def __init__(self, status: int, title: str, detail: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.body: dict[str, Any] = {
            "status": status,
            "type": f"https://reference.airbyte.com/reference/errors#{title}",
            "title": title,
            "detail": detail,
            "data": dict(data or {}),
        }


def not_found(kind: str, key: str) -> Problem:
    """A thing that does not exist, or not for us."""
    data = {"resourceType": kind, "resourceId": key}
    return Problem(404, "resource-not-found", "The requested resource could not be found.", data)


async def posted(request: Request) -> dict[str, Any]:
    """The body, which has to be a JSON object."""
    try:
        return dict(json.loads(await request.body()))
    except (ValueError, TypeError):
        return {}


@dataclass(frozen=True, slots=True)
class AirbyteActs:
    """The calls that change something."""

    world: World
    job_id: Callable[[str], str]
    find: Callable[[object], LabRun]
    """A run by its number; refuses if there is none."""
    run_told: Callable[[LabRun], dict[str, Any]]
    connection_told: Callable[[LabJob], dict[str, Any]]

    async def create(self, request: Request) -> Response:
        """``POST /jobs``."""
        body = await posted(request)
        if body.get("jobType") == "refresh":
            raise Problem(422, "unprocessable-entity", "Refreshes are not supported in the public API")
        if body.get("jobType") != "sync":
            raise Problem(400, "bad-request", "Invalid value provided for jobType.")
        job = self._connection(body.get("connectionId"))
        if job.paused:
            raise Problem(409, "try-again-later-conflict", "Can only sync an active connection")
        newest = self._newest(job)
        if newest is not None and newest.ended_at(self.world.now) is None:
            raise Problem(409, "try-again-later-conflict", "A sync is already running for this connection.")
        self.world.ask(Asked(self.world.now, job.job, Wish.run))
        made = self._newest(job)
        assert made is not None
        return JSONResponse(self.run_told(made))

    async def cancel(self, request: Request) -> Response:
        """``DELETE /jobs/{id}``."""
        run = self.find(request.path_params["job_id"])
        if run.ended_at(self.world.now) is not None:
            raise Problem(409, "try-again-later-conflict", "The job is not currently running.")
        self.world.ask(Asked(self.world.now, run.job, Wish.cancel, run.created))
        return JSONResponse(self.run_told(self.find(request.path_params["job_id"])))

    async def patch(self, request: Request) -> Response:
        """``PATCH /connections/{id}``."""
        body = await posted(request)
        key = request.path_params["connection"]
        wish = {"active": Wish.resume, "inactive": Wish.pause}.get(str(body.get("status")))
        if wish is None:
            raise Problem(400, "bad-request", "Invalid value provided for status.")
        self.world.ask(Asked(self.world.now, self._connection(key).job, wish))
        return JSONResponse(self.connection_told(self._connection(key)))

    def _newest(self, job: LabJob) -> LabRun | None:
        runs = self.world.runs_of("airbyte")
        return next((run for run in reversed(runs) if run.job == job.job), None)

    def _connection(self, given: object) -> LabJob:
        for job in self.world.jobs_of("airbyte"):
            if self.job_id(job.job) == given:
                return job
        raise not_found("connection", str(given))
