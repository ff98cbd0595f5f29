"""GitHub's twin: workflows and their runs, jobs and annotations, deployments and their statuses (REST), and
the one GraphQL question that shows the workflow files.

Listings come newest first, page by page, with a Link to the next page. A run's reason stands in the
annotations of the job that failed, as GitHub shows it. Facts: api.github.com's OpenAPI description, version
2022-11-28.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dogwatch.lab.github_records import WEB, person, repository
from dogwatch.lab.releases import EVERYTHING, ROLLOUT, Release, Releases
from dogwatch.lab.twin import Twin
from dogwatch.lab.world import (
    Asked,
    LabJob,
    LabRun,
    Outcome,
    Trigger,
    Wish,
    World,
    native_number,
    native_uuid,
)

_TOKEN = "github_pat_11ABCLAB0_q3VnK8sWtYpX5mZrTfLhJdQwUbGe"
_CONCLUSION = {
    Outcome.success: "success",
    Outcome.failed: "failure",
    Outcome.cancelled: "cancelled",
    Outcome.timed_out: "timed_out",
    Outcome.skipped: "skipped",
}
_EVENT = {Trigger.schedule: "schedule", Trigger.manual: "workflow_dispatch", Trigger.after: "workflow_run"}

Row = dict[str, Any]


class GitHub(Twin):
    """The estate's repositories."""

    platform: ClassVar[str] = "github"
    required: ClassVar[str] = "workflow_id"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._releases = Releases(world)
        self._revoked = False
        self._base = ""

    def routes(self) -> Sequence[BaseRoute]:
        """The vendor's paths."""
        repo = "/repos/{owner}/{name}"
        return [
            Route("/rate_limit", self._guarded(self._rate_limit)),
            Route("/graphql", self._graphql, methods=["POST"]),
            Route(f"{repo}/actions/workflows", self._guarded(self._workflows)),
            Route(f"{repo}/actions/runs", self._guarded(self._runs)),
            Route(f"{repo}/actions/runs/{{run:int}}", self._guarded(self._run)),
            Route(
                f"{repo}/actions/runs/{{run:int}}/attempts/{{attempt:int}}/jobs", self._guarded(self._jobs)
            ),
            Route(
                f"{repo}/actions/runs/{{run:int}}/rerun-failed-jobs",
                self._guarded(self._rerun),
                methods=["POST"],
            ),
            Route(f"{repo}/actions/runs/{{run:int}}/cancel", self._guarded(self._cancel), methods=["POST"]),
            Route(f"{repo}/check-runs/{{job:int}}/annotations", self._guarded(self._annotations)),
            Route(f"{repo}/deployments", self._guarded(self._deployments)),
            Route(f"{repo}/deployments/{{number:int}}/statuses", self._guarded(self._statuses)),
        ]

    def settings(self, base_url: str) -> dict[str, Any]:
        """The API's address and the repositories."""
        self._base = base_url
        return {"url": base_url, "repositories": [*self._releases.places] or [EVERYTHING]}

    def told(self, subject: Callable[[str], str | None]) -> dict[str, Any]:
        """What is deployed from where; the workflows of a repository come from it too."""
        platforms = sorted({job.platform for job in self.world.jobs.values()})
        deploys: dict[str, list[str]] = {}
        for name, place in self._releases.places.items():
            known = subject(place) if place else None
            deploys[name] = [known] if known else [] if place else platforms
        found = {name: names for name, names in deploys.items() if names}
        return {"deploys": found} if found else {}

    def credentials(self) -> dict[str, str]:
        """A fine-grained personal access token."""
        return {"token": _TOKEN}

    def job_id(self, job: str) -> str:
        """The workflow's number."""
        return str(native_number("workflow", job, digits=9))

    def run_id(self, run: LabRun) -> str:
        """Numbers grow with time."""
        return str(17_000_000_000 + run.number * 7)

    def revoke(self) -> None:
        """The token cannot be bought again."""
        self._revoked = True

    # ── answering ───────────────────────────────────────────────────────────────────────────────────────────

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.get("authorization") != f"Bearer {_TOKEN}" or self._revoked:
            return _problem(401, "Bad credentials")
        if not request.headers.get("user-agent"):
            return _problem(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a "
                "User-Agent header",
            )
        return None

    def _guarded(self, handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def guarded(request: Request) -> Response:
            refusal = self._refusal(request)
            if refusal is not None:
                return refusal
            known = "owner" not in request.path_params or self._repository(request) in self._known()
            response = handler(request) if known else _problem(404, "Not Found")
            ends = int((self.world.now + timedelta(minutes=40)).timestamp())
            told = {
                "limit": "5000",
                "remaining": "4321",
                "used": "679",
                "reset": str(ends),
                "resource": "core",
            }
            response.headers.update({f"x-ratelimit-{key}": value for key, value in told.items()})
            return response

        return guarded

    def _known(self) -> set[str]:
        return {*self._releases.places, EVERYTHING}

    @staticmethod
    def _repository(request: Request) -> str:
        return f"{request.path_params['owner']}/{request.path_params['name']}"

    def _rate_limit(self, _: Request) -> Response:
        ends = int((self.world.now + timedelta(minutes=40)).timestamp())
        core = {"limit": 5000, "remaining": 4321, "used": 679, "reset": ends}
        return JSONResponse({"resources": {"core": core}, "rate": core})

    def _paged(
        self, request: Request, rows: Sequence[Any], key: str | None, make: Callable[[Any], Row]
    ) -> Response:
        """One page; a list of its own, or one under ``key`` with a count beside it."""
        try:
            size = max(1, min(100, int(request.query_params.get("per_page", 30))))
            page = max(1, int(request.query_params.get("page", 1)))
        except ValueError:
            return _problem(422, "Invalid request.\n\nInvalid parameter.")
        start = (page - 1) * size
        told = [make(row) for row in rows[start : start + size]]
        headers: dict[str, str] = {}
        if start + size < len(rows):
            query = urlencode({**request.query_params, "page": page + 1})
            headers["Link"] = f'<{request.url.replace(query=query)}>; rel="next"'
        return JSONResponse(told if key is None else {"total_count": len(rows), key: told}, headers=headers)

    # ── Actions ─────────────────────────────────────────────────────────────────────────────────────────────

    def _workflows(self, request: Request) -> Response:
        here = self.world.jobs_of(self.platform) if self._repository(request) == EVERYTHING else []
        return self._paged(request, here, "workflows", self._workflow)

    def _workflow(self, job: LabJob) -> Row:
        path = _path(job.job)
        return {
            "id": int(self.job_id(job.job)),
            "node_id": f"W_{self.job_id(job.job)}",
            "name": job.name,
            "path": path,
            "state": "disabled_manually" if job.paused else "active",
            "created_at": "2025-01-07T09:00:00Z",
            "updated_at": "2025-11-03T14:20:11Z",
            "url": f"{self._base}/repos/{EVERYTHING}/actions/workflows/{self.job_id(job.job)}",
            "html_url": f"{WEB}/{EVERYTHING}/blob/main/{path}",
            "badge_url": f"{WEB}/{EVERYTHING}/workflows/{job.name}/badge.svg",
        }

    async def _graphql(self, request: Request) -> Response:
        """The entries of ``.github/workflows`` with their texts, whatever else was asked."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        asked = json.loads(await request.body()).get("variables", {})
        if f"{asked.get('owner')}/{asked.get('name')}" not in self._known():
            message = (
                f"Could not resolve to a Repository with the name '{asked.get('owner')}/{asked.get('name')}'."
            )
            return JSONResponse(
                {"data": {"repository": None}, "errors": [{"type": "NOT_FOUND", "message": message}]}
            )
        here = f"{asked['owner']}/{asked['name']}" == EVERYTHING
        entries = [
            {"name": _path(job.job).rpartition("/")[2], "object": {"text": _file(job)}}
            for job in self.world.jobs_of(self.platform)
            if here
        ]
        found = {"entries": entries} if entries else None
        return JSONResponse({"data": {"repository": {"object": found}}})

    def _runs(self, request: Request) -> Response:
        here = self._repository(request) == EVERYTHING
        runs: Sequence[LabRun] = self.world.runs_of(self.platform)[::-1] if here else ()
        return self._paged(request, runs, "workflow_runs", self._row)

    def _run(self, request: Request) -> Response:
        run = self._found(request)
        return _problem(404, "Not Found") if run is None else JSONResponse(self._row(run))

    def _rerun(self, request: Request) -> Response:
        run = self._found(request)
        if run is None:
            return _problem(404, "Not Found")
        conclusion = self._row(run)["conclusion"]
        if conclusion is None:
            return _problem(403, "This workflow is already running")
        if conclusion == "success":
            return _problem(403, "This workflow run has no failed jobs")
        self.world.ask(Asked(self.world.now, run.job, Wish.repair, run.created))
        return JSONResponse({}, 201)

    def _cancel(self, request: Request) -> Response:
        run = self._found(request)
        if run is None:
            return _problem(404, "Not Found")
        if self._row(run)["conclusion"] is not None:
            return _problem(409, "Cannot cancel a workflow run that is completed.")
        self.world.ask(Asked(self.world.now, run.job, Wish.cancel, run.created))
        return JSONResponse({}, 202)

    def _found(self, request: Request) -> LabRun | None:
        wanted = str(request.path_params["run"])
        return next((run for run in self.world.runs_of(self.platform) if self.run_id(run) == wanted), None)

    def _row(self, run: LabRun) -> Row:
        now, skew = self.world.now, self.world.skew(self.platform)
        tries = _tries(run, now)
        ended = run.ended_at(now)
        began = tries[-1] if tries else run.created
        job = self.world.jobs[run.job]
        number, base = self.run_id(run), f"{self._base}/repos/{EVERYTHING}"
        url = f"{base}/actions/runs/{number}"
        outcome = run.attempts_at(now)[-1].outcome if tries else Outcome.success
        conclusion = (run.native_status or _CONCLUSION[outcome]) if ended else None
        here = repository(EVERYTHING, self._base)
        return {
            "id": int(number),
            "name": job.name,
            "node_id": f"WFR_{number}",
            "head_branch": "main",
            "head_sha": native_uuid(run.job).replace("-", "") + "0b1c2d3e",
            "path": _path(run.job),
            "display_title": job.name,
            "run_number": run.number,
            "run_attempt": max(1, len(tries)),
            "event": _EVENT[run.trigger],
            "status": "completed" if ended else "in_progress" if tries else "queued",
            "conclusion": conclusion,
            "workflow_id": int(self.job_id(run.job)),
            "check_suite_id": int(number) + 1,
            "url": url,
            "html_url": f"{WEB}/{EVERYTHING}/actions/runs/{number}",
            "pull_requests": [],
            "created_at": _stamp(run.created + skew),
            "updated_at": _stamp((ended or began) + skew),
            "run_started_at": _stamp(began + skew),
            "jobs_url": f"{url}/jobs",
            "logs_url": f"{url}/logs",
            "check_suite_url": f"{base}/check-suites/{int(number) + 1}",
            "artifacts_url": f"{url}/artifacts",
            "cancel_url": f"{url}/cancel",
            "rerun_url": f"{url}/rerun",
            "previous_attempt_url": None,
            "workflow_url": f"{base}/actions/workflows/{self.job_id(run.job)}",
            "head_commit": None,
            "repository": here,
            "head_repository": here,
        }

    def _jobs(self, request: Request) -> Response:
        """One job of three steps; what fails is the second."""
        run = self._found(request)
        if run is None:
            return _problem(404, "Not Found")
        row = self._row(run)
        bad = row["conclusion"] not in {None, "success", "skipped"}
        number = int(row["id"]) + 3
        steps = [
            {"name": name, "status": row["status"], "number": index,
             "conclusion": row["conclusion"] if bad and index == 2 else "success"}
            for index, name in enumerate(("Set up job", "Run", "Complete job"), start=1)
        ]  # fmt: skip
        job = {
            "id": number,
            "run_id": row["id"],
            "run_attempt": row["run_attempt"],
            "name": "main",
            "status": row["status"],
            "conclusion": row["conclusion"],
            "started_at": row["run_started_at"],
            "completed_at": row["updated_at"] if row["conclusion"] else None,
            "steps": steps,
            "html_url": f"{row['html_url']}/job/{number}",
        }
        return self._paged(request, [job], "jobs", lambda one: one)

    def _annotations(self, request: Request) -> Response:
        wanted = str(int(request.path_params["job"]) - 3)
        runs = self.world.runs_of(self.platform)
        run = next((run for run in runs if self.run_id(run) == wanted), None)
        tries = run.attempts_at(self.world.now) if run else ()
        if not tries or run is None or run.ended_at(self.world.now) is None:
            return self._paged(request, [], None, lambda one: one)
        error = tries[-1].error
        said = [error] if error else []
        said += ["Process completed with exit code 1."] if tries[-1].outcome is Outcome.failed else []
        return self._paged(request, said, None, _annotation)

    # ── deployments ─────────────────────────────────────────────────────────────────────────────────────────

    def _deployments(self, request: Request) -> Response:
        here, now = self._repository(request), self.world.now
        asked = request.query_params.get("environment", "production")
        made = [one for one in self._releases.all if one.repository == here and one.created <= now]
        chosen = made[::-1] if asked in {"production", "none"} else []
        return self._paged(request, chosen, None, self._deployment)

    def _deployment(self, one: Release) -> Row:
        base = f"{self._base}/repos/{one.repository}"
        skew = self.world.skew(self.platform)
        return {
            "url": f"{base}/deployments/{one.number}",
            "id": one.number,
            "node_id": f"DE_{one.number}",
            "sha": one.sha,
            "ref": one.version,
            "task": "deploy",
            "payload": {},
            "original_environment": "production",
            "environment": "production",
            "description": one.description,
            "creator": person(one.author, self._base),
            "created_at": _stamp(one.created + skew),
            "updated_at": _stamp(min(self.world.now, one.created + ROLLOUT) + skew),
            "statuses_url": f"{base}/deployments/{one.number}/statuses",
            "repository_url": base,
            "transient_environment": False,
            "production_environment": True,
        }

    def _statuses(self, request: Request) -> Response:
        number, here = request.path_params["number"], self._repository(request)
        one = next(
            (one for one in self._releases.all if one.number == number and one.repository == here), None
        )
        now = self.world.now
        if one is None or one.created > now:
            return _problem(404, "Not Found")
        states = [("success", one.created + ROLLOUT), ("in_progress", one.created + timedelta(seconds=4))]
        made = [(state, at) for state, at in states if at <= now]
        return self._paged(request, made, None, lambda state: self._status(one, *state))

    def _status(self, one: Release, state: str, at: datetime) -> Row:
        base = f"{self._base}/repos/{one.repository}"
        number = one.number * 10 + (1 if state == "success" else 0)
        return {
            "url": f"{base}/deployments/{one.number}/statuses/{number}",
            "id": number,
            "node_id": f"DES_{number}",
            "state": state,
            "creator": person(one.author, self._base),
            "description": "",
            "environment": "production",
            "target_url": "",
            "created_at": _stamp(at + self.world.skew(self.platform)),
            "updated_at": _stamp(at + self.world.skew(self.platform)),
            "deployment_url": f"{base}/deployments/{one.number}",
            "repository_url": base,
        }


def _tries(run: LabRun, now: datetime) -> list[datetime]:
    """When each of GitHub's attempts began: the platform itself retries nothing, people re-run."""
    begun = run.attempts_at(now)
    return [one.started for index, one in enumerate(begun) if index == 0 or one.repair]


def _path(job: str) -> str:
    return f".github/workflows/{job.partition('/')[2]}.yml"


def _file(job: LabJob) -> str:
    """The workflow's file."""
    cron = job.schedule
    if job.every is not None:
        minutes = max(5, int(job.every.total_seconds() // 60))
        cron = f"*/{minutes} * * * *" if minutes < 60 else f"0 */{minutes // 60} * * *"
    when = f"  schedule:\n    - cron: {json.dumps(cron)}\n      timezone: {job.timezone}\n" if cron else ""
    jobs = "jobs:\n  main:\n    runs-on: ubuntu-latest\n"
    return f"name: {json.dumps(job.name)}\non:\n{when}  workflow_dispatch:\n{jobs}"


def _annotation(said: str) -> Row:
    return {
        "path": ".github",
        "start_line": 12,
        "end_line": 12,
        "start_column": None,
        "end_column": None,
        "annotation_level": "failure",
        "title": "",
        "message": said,
        "raw_details": "",
        "blob_href": f"{WEB}/{EVERYTHING}/blob/main/.github",
    }


def _problem(status: int, message: str) -> Response:
    documented = "https://docs.github.com/rest"
    return JSONResponse({"message": message, "documentation_url": documented, "status": str(status)}, status)


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
