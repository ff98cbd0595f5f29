"""Databricks' twin: one workspace that speaks the Jobs API 2.2.

Shapes by databricks-sdk 0.156 to 0.162 (``service/jobs.py``); wording, and the 403 for an ended token, as
quoted from the live service in issues of projects that use it.
"""

import bisect
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dogwatch.errors import LabError
from dogwatch.lab.databricks_acts import Act, DatabricksActs, Refused, posted
from dogwatch.lab.databricks_records import (
    RunRecord,
    TaskRun,
    Wire,
    chain_of,
    millis,
    millis_of,
    page_token,
    position_of,
    records,
    run_number,
    state_of,
    task_number,
    task_settings,
    tasks_of,
)
from dogwatch.lab.databricks_tokens import Tokens
from dogwatch.lab.quartz import to_quartz
from dogwatch.lab.twin import Twin
from dogwatch.lab.world import LabJob, LabRun, Trigger, World, native_number, native_uuid

KEPT = timedelta(days=60)
"""Runs are removed after this."""

_PAGE = 25
"""The most runs of one page."""
_UNITS = (("WEEKS", 604_800), ("DAYS", 86_400), ("HOURS", 3600), ("MINUTES", 60))


class Databricks(Twin):
    """One workspace over the world's databricks jobs."""

    platform: ClassVar[str] = "databricks"
    required: ClassVar[str] = "run_id"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.tokens = Tokens(world)
        self._acts = DatabricksActs(world, self._asked_job, self._visible)
        mine = [job for job in world.jobs.values() if job.platform == self.platform]
        self._job_ids = {job.job: native_number("databricks job", job.job, digits=15) for job in mine}
        for job in mine:
            for state in (job, *(job.as_of(edit.at) for edit in job.edits)):
                _trigger(state)  # tells at once of a schedule that Databricks cannot express

    def settings(self, base_url: str) -> dict[str, Any]:
        """A service principal with an OAuth secret."""
        return {"url": base_url, "client_id": self.tokens.client_id}

    def credentials(self) -> dict[str, str]:
        """Its secret."""
        return {"client_secret": self.tokens.client_secret}

    def job_id(self, job: str) -> str:
        """15 digits."""
        return str(self._job_ids[job])

    def run_id(self, run: LabRun) -> str:
        """That of the first try; the platform's own retries are runs of their own."""
        return str(run_number(run, 0))

    def revoke(self) -> None:
        """The personal one too: the next is another."""
        self.tokens.revoke()

    def routes(self) -> Sequence[BaseRoute]:
        """The workspace, and beside it the issuers of tokens that it trusts."""
        api = {
            "jobs/list": self._list_jobs,
            "jobs/get": self._get_job,
            "jobs/runs/list": self._list_runs,
            "jobs/runs/get": self._get_run,
            "jobs/runs/get-output": self._get_output,
        }
        return [
            *(Route(f"/api/2.2/{path}", self._guarded(handler)) for path, handler in api.items()),
            *(
                Route(f"/api/2.2/{path}", self._told_to(act), methods=["POST"])
                for path, act in self._acts.by_path.items()
            ),
            *self.tokens.routes(),
        ]

    def renewed(self) -> None:
        """All that was computed from the runs."""
        for name in ("_natives", "_keys", "_by_id", "_owner_of_task"):
            vars(self).pop(name, None)

    # ── the Jobs API ──────────────────────────────────────────────────────────────────────────────────────

    def _admit(self, request: Request) -> None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise Refused("Credential was not sent or was of an unsupported type for this API.", 401, 401)
        if not self.tokens.good(token):
            raise Refused("Invalid access token.", 403, 403)

    def _guarded(self, handler: Callable[[Request], Wire]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            try:
                self._admit(request)
                return JSONResponse(handler(request))
            except Refused as refusal:
                return JSONResponse(refusal.body, refusal.status)

        return answer

    def _told_to(self, act: Act) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            try:
                self._admit(request)
                return JSONResponse(act(await posted(request)))
            except Refused as refusal:
                return JSONResponse(refusal.body, refusal.status)

        return answer

    def _asked_job(self, job_id: object) -> LabJob:
        for job in self.world.jobs_of(self.platform):
            if self._job_ids[job.job] == job_id:
                return job
        raise Refused(f"Job {job_id} does not exist.")

    def _list_jobs(self, request: Request) -> Wire:
        limit = _whole(request, "limit", 20)
        if not 1 <= limit <= 100:
            raise Refused(f"Invalid limit {limit} - it has to be between 1 and 100.")
        name = request.query_params.get("name", "").casefold()
        jobs = sorted(
            (
                (millis(_created(job)), self._job_ids[job.job], job)
                for job in self.world.jobs_of(self.platform)
            ),
            reverse=True,
        )
        chosen = [entry for entry in jobs if not name or entry[2].name.casefold() == name]
        position = _position(request)
        if position is not None:
            chosen = [entry for entry in chosen if entry[:2] < position[1:]]
        page = chosen[:limit]
        expand = _flag(request, "expand_tasks")
        answer: Wire = {"jobs": [self._job(job, expand=expand) for _, _, job in page]} if page else {}
        if len(chosen) > limit:
            answer["next_page_token"] = page_token(1, *page[-1][:2])
        return {**answer, "has_more": len(chosen) > limit}

    def _get_job(self, request: Request) -> Wire:
        wanted = _whole(request, "job_id", 0)
        for job in self.world.jobs_of(self.platform):
            if self._job_ids[job.job] == wanted:
                return {**self._job(job, expand=True), "run_as_user_name": _creator(job)}
        raise Refused(f"Job {wanted} does not exist.")

    def _job(self, job: LabJob, *, expand: bool) -> Wire:
        settings: Wire = {
            "name": job.name,
            "email_notifications": {},
            "webhook_notifications": {},
            "timeout_seconds": 0,
            "max_concurrent_runs": 1,
            "format": "MULTI_TASK",
            "queue": {"enabled": True},
            **_trigger(job),
        }
        if expand:
            settings["tasks"] = [task_settings(job, key, before) for key, before in chain_of(job.job)]
        return {
            "job_id": self._job_ids[job.job],
            "creator_user_name": _creator(job),
            "created_time": millis(_created(job)),
            "settings": settings,
        }

    def _list_runs(self, request: Request) -> Wire:
        limit = _whole(request, "limit", 20)
        if not 0 <= limit <= _PAGE:
            raise Refused(f"Invalid limit {limit} - it has to be no more than {_PAGE}.")
        limit = limit or _PAGE
        position = _position(request)
        older = position is None or position[0] == 1
        found = _take(self._stretch(request, position), self._filter(request), limit + 1)
        page, more = found[:limit] if older else found[:limit][::-1], len(found) > limit
        if not page:
            return {"has_more": False}
        expand = _flag(request, "expand_tasks")
        answer: Wire = {"runs": [self._run(self._natives[index], request, tasks=expand) for index in page]}
        if more or not older:
            answer["next_page_token"] = page_token(1, *self._keys[page[-1]])
        if position is not None and (more or older):
            answer["prev_page_token"] = page_token(0, *self._keys[page[0]])
        return {**answer, "has_more": "next_page_token" in answer}

    def _stretch(self, request: Request, position: tuple[int, int, int] | None) -> range:
        """The records to choose from, in the order of the page: from a position on, which stays where it is
        when newer runs come."""
        earliest, latest = self._window(request)
        low = bisect.bisect_left(self._keys, (earliest, 0))
        high = bisect.bisect_left(self._keys, (latest + 1, 0))
        if position is not None and position[0] == 0:
            return range(max(low, bisect.bisect_right(self._keys, position[1:])), high)
        if position is not None:
            high = min(high, bisect.bisect_left(self._keys, position[1:]))
        return range(high - 1, low - 1, -1)

    def _window(self, request: Request) -> tuple[int, int]:
        """Earliest and latest start in true epoch milliseconds."""
        now = self.world.now
        skew = millis_of(self.world.skew(self.platform))
        earliest = max(_whole(request, "start_time_from", 0) - skew, millis(now - KEPT))
        return earliest, min(_whole(request, "start_time_to", 2**62) - skew, millis(now))

    def _filter(self, request: Request) -> Callable[[int], bool]:
        active, completed = _flag(request, "active_only"), _flag(request, "completed_only")
        if active and completed:
            raise Refused("Cannot set both active_only and completed_only to true.")
        if _whole(request, "offset", 0):
            raise Refused("The offset parameter is not supported. Please use page_token to paginate.")
        job_id = _whole(request, "job_id", 0)
        run_type = request.query_params.get("run_type", "JOB_RUN")
        now = self.world.now

        def matches(index: int) -> bool:
            native = self._natives[index]
            if run_type != "JOB_RUN" or (job_id and self._job_ids[native.run.job] != job_id):
                return False
            if not (active or completed):
                return True
            begun = native.begun(now)
            return active != bool(begun and begun[-1][1] is not None)

        return matches

    def _get_run(self, request: Request) -> Wire:
        wanted = _whole(request, "run_id", 0)
        native = self._visible(wanted)
        run = self._run(native, request, tasks=True)
        if _flag(request, "include_history"):
            run["repair_history"] = self._history(native)
        return {**run, "job_clusters": [], "job_parameters": []}

    def _visible(self, run_id: int) -> RunRecord:
        now = self.world.now
        native = self._by_id.get(run_id)
        if native is None or not now - KEPT <= native.start <= now:
            raise Refused(f"Run {run_id} does not exist.")
        return native

    def _run(self, native: RunRecord, request: Request, *, tasks: bool) -> Wire:
        now, job = self.world.now, self.world.jobs[native.run.job]
        begun = native.begun(now)
        ended = begun[-1][1] if begun else None
        worked = sum((((end or now) - attempt.started) for attempt, end in begun), timedelta(0))
        queued = (begun[0][0].started if begun else now) - native.start
        told: Wire = {
            "job_id": self._job_ids[job.job],
            "run_id": native.run_id,
            "number_in_job": native.run_id,
            "original_attempt_run_id": native.original,
            "attempt_number": native.nth,
            "creator_user_name": _creator(job),
            "run_name": job.name,
            "run_type": "JOB_RUN",
            "format": "MULTI_TASK",
            "trigger": _run_trigger(native, job),
            "run_page_url": self._page_url(request, native, native.run_id),
            "start_time": self._told_time(native.start),
            "end_time": self._told_time(ended),
            "queue_duration": millis_of(queued),
            "setup_duration": 0,
            "execution_duration": 0,
            "cleanup_duration": 0,
            "run_duration": millis_of(worked + queued) if ended else 0,
            "job_run_id": native.run_id,
            **state_of(native, len(begun), self.world.now).told(),
        }
        if native.run.trigger is Trigger.schedule and "schedule" in (settings := _trigger(job)):
            told["schedule"] = settings["schedule"]
        if tasks:
            told["tasks"] = [
                self._task(native, task, request)
                for nth in range(len(begun))
                for task in tasks_of(native, nth, self.world.now)
            ]
        return told

    def _history(self, native: RunRecord) -> list[Wire]:
        """The original and the repairs so far; only repairs have an id."""
        items: list[Wire] = []
        for nth, (attempt, ended) in enumerate(native.begun(self.world.now)):
            item: Wire = {
                "type": "REPAIR" if nth else "ORIGINAL",
                "start_time": self._told_time(attempt.started if nth else native.start),
                "end_time": self._told_time(ended),
                "task_run_ids": [task.run_id for task in tasks_of(native, nth, self.world.now)],
                **state_of(native, nth + 1, self.world.now).told(),
            }
            if nth:
                item["id"] = native_number("databricks repair", str(native.run_id), str(nth), digits=15)
            items.append(item)
        return items

    def _task(self, native: RunRecord, task: TaskRun, request: Request) -> Wire:
        span = (task.ends or self.world.now) - task.starts if task.starts else timedelta(0)
        return {
            **task_settings(self.world.jobs[native.run.job], task.key, task.after),
            "run_id": task.run_id,
            "attempt_number": task.nth,
            "run_page_url": self._page_url(request, native, task.run_id),
            "start_time": self._told_time(task.starts),
            "end_time": self._told_time(task.ends),
            "setup_duration": 0,
            "execution_duration": millis_of(span) if task.ends else 0,
            "cleanup_duration": 0,
            **task.state.told(),
        }

    def _get_output(self, request: Request) -> Wire:
        wanted = _whole(request, "run_id", 0)
        if wanted in self._by_id:
            self._visible(wanted)
            raise Refused(
                "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the"
                " output of each individual task run instead."
            )
        found = self._owner_of_task.get(wanted)
        if found is None or found[1] >= len(self._visible(found[0].run_id).begun(self.world.now)):
            raise Refused(f"Run {wanted} does not exist.")
        native, nth = found
        task = next(task for task in tasks_of(native, nth, self.world.now) if task.run_id == wanted)
        job = self.world.jobs[native.run.job]
        metadata = {
            **self._task(native, task, request),
            "job_id": self._job_ids[job.job],
            "job_run_id": native.run_id,
            "number_in_job": task.run_id,
            "original_attempt_run_id": task.run_id,
            "parent_run_id": native.run_id,
            "run_name": task.key,
            "run_type": "JOB_RUN",
            "creator_user_name": _creator(job),
        }
        output: Wire = {"metadata": metadata, "notebook_output": {}}
        error = native.attempts[nth].error
        if task.state.result == "FAILED" and error:
            output |= {"error": error, "error_trace": f"\x1b[0;31m{'-' * 75}\x1b[0m\n{error}"}
        return output

    def _page_url(self, request: Request, native: RunRecord, run_id: int) -> str:
        return (
            f"{request.base_url}?o={self.tokens.workspace}#job/{self._job_ids[native.run.job]}/run/{run_id}"
        )

    def _told_time(self, moment: datetime | None) -> int:
        return 0 if moment is None else millis(moment + self.world.skew(self.platform))

    @cached_property
    def _natives(self) -> list[RunRecord]:
        """Every run record there will ever be, oldest start first."""
        mine = (run for run in self.world.runs if run.job in self._job_ids)
        return sorted((native for run in mine for native in records(run)), key=lambda native: native.key)

    @cached_property
    def _keys(self) -> list[tuple[int, int]]:
        return [native.key for native in self._natives]

    @cached_property
    def _by_id(self) -> dict[int, RunRecord]:
        return {native.run_id: native for native in self._natives}

    @cached_property
    def _owner_of_task(self) -> dict[int, tuple[RunRecord, int]]:
        return {
            task_number(native, nth, key): (native, nth)
            for native in self._natives
            for nth in range(len(native.attempts))
            for key, _ in chain_of(native.run.job)
        }


# ── how the world looks to Databricks ───────────────────────────────────────────────────────────────────────


def _run_trigger(native: RunRecord, job: LabJob) -> str:
    if native.nth:
        return "RETRY"
    if native.run.trigger is Trigger.after and _within(job):
        return "JOB_COMPLETION"
    if native.run.trigger is Trigger.schedule:
        return "PERIODIC"
    return "ONE_TIME"


def _within(job: LabJob) -> bool:
    """Whether all that it waits for runs in the same workspace, so that the workspace itself starts it."""
    return bool(job.after) and all(name.startswith("databricks/") for name in job.after)


def _creator(job: LabJob) -> str:
    return job.owner or native_uuid("databricks creator", job.job)


def _created(job: LabJob) -> datetime:
    """Long before the story if the estate does not say."""
    age = timedelta(seconds=native_number("databricks created", job.job, digits=7))
    return job.created or datetime(2025, 1, 1, tzinfo=UTC) - age


def _trigger(job: LabJob) -> Wire:
    """The part of a job's settings that starts it. Raises LabError for what Databricks cannot express."""
    pause = "PAUSED" if job.paused else "UNPAUSED"
    if job.schedule is not None:
        cron = {"quartz_cron_expression": to_quartz(job.schedule), "timezone_id": job.timezone}
        return {"schedule": {**cron, "pause_status": pause}}
    if job.every is None:
        if not _within(job):
            return {}
        waits = [{"job_id": native_number("databricks job", name, digits=15)} for name in job.after]
        completion = {"if_status": "SUCCESS", "jobs": waits}
        return {"trigger": {"pause_status": pause, "job_completion": completion}}
    seconds = int(job.every.total_seconds())
    for unit, size in _UNITS:
        if seconds and seconds % size == 0:
            return {
                "trigger": {"pause_status": pause, "periodic": {"interval": seconds // size, "unit": unit}}
            }
    raise LabError(f"{job.job}: every {job.every} cannot be a Databricks trigger, which counts whole minutes")


# ── small change ────────────────────────────────────────────────────────────────────────────────────────────


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    try:
        return default if text is None else int(text)
    except ValueError:
        raise Refused(f"Invalid value for {name}: expected an integer.") from None


def _position(request: Request) -> tuple[int, int, int] | None:
    token = request.query_params.get("page_token")
    try:
        return position_of(token) if token else None
    except ValueError as error:
        raise Refused(str(error)) from None


def _flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise Refused(f"Invalid value for {name}: expected true or false.")
    return text == "true"


def _take(indexes: Iterable[int], matches: Callable[[int], bool], count: int) -> list[int]:
    found: list[int] = []
    for index in indexes:
        if matches(index):
            found.append(index)
            if len(found) == count:
                break
    return found
