"""Databricks: run now, repair the failed tasks of a run, cancel one, pause and resume a job (Jobs API 2.2).

Needs CAN MANAGE RUN on the job, CAN MANAGE for pausing. ``run-now`` takes an idempotency token. A repair is
a new attempt of the same run; from the second on it has to name the one before.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from dogwatch.errors import UnexpectedAnswer
from dogwatch.model import Risk
from dogwatch.wire.acting import Order, Proof, Receipt, Verb
from dogwatch.wire.clock import Clock
from dogwatch.wire.http import Http

VERBS: Mapping[str, Verb] = {
    "repair": Verb(
        Risk.safe, "Repair the failed tasks of the last run of {job}", Proof.new_attempt, about_run=True
    ),
    "rerun": Verb(Risk.safe, "Run {job} once", Proof.new_run, repeatable=True),
    "cancel": Verb(
        Risk.disruptive, "Cancel the run of {job}", Proof.run_over, repeatable=True, about_run=True
    ),
    "pause": Verb(Risk.disruptive, "Pause the schedule of {job}", Proof.job_paused, repeatable=True),
    "resume": Verb(Risk.safe, "Resume the schedule of {job}", Proof.job_active, repeatable=True),
}
_TRIGGERS = ("schedule", "trigger", "continuous")


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Started(_Wire):
    run_id: int


class _Item(_Wire):
    id: int | None = None


class _History(_Wire):
    repair_history: list[_Item] = []


class _Job(_Wire):
    settings: dict[str, Any]


_STARTED = TypeAdapter(_Started)
_HISTORY = TypeAdapter(_History)
_JOB = TypeAdapter(_Job)


class Hands:
    """What dogwatch can change on Databricks."""

    def __init__(self, http: Http, settings: BaseModel, clock: Clock) -> None:
        self._http = http

    def verbs(self) -> Mapping[str, Verb]:
        """See ``CanAct``."""
        return VERBS

    async def act(self, order: Order) -> Receipt:
        """See ``CanAct``."""
        if order.verb == "rerun":
            body = {"job_id": int(order.job.job_id), "idempotency_token": order.key}
            made = (await self._http.send("jobs/run-now", body)).parse(_STARTED).run_id
            return Receipt(f"run {made} was started", native_run_id=str(made))
        if order.verb in ("pause", "resume"):
            return await self._switch(order)
        assert order.run is not None  # ``about_run``
        run_id = int(order.run.native_run_id)
        if order.verb == "cancel":
            await self._http.send("jobs/runs/cancel", {"run_id": run_id})
            return Receipt(f"run {run_id} is being cancelled")
        return await self._repair(run_id)

    async def _repair(self, run_id: int) -> Receipt:
        answer = await self._http.get("jobs/runs/get", {"run_id": run_id, "include_history": "true"})
        repairs = [one.id for one in answer.parse(_HISTORY).repair_history if one.id is not None]
        body: dict[str, Any] = {"run_id": run_id, "rerun_all_failed_tasks": True}
        if repairs:
            body["latest_repair_id"] = repairs[-1]
        await self._http.send("jobs/runs/repair", body)
        return Receipt(f"run {run_id} is being repaired")

    async def _switch(self, order: Order) -> Receipt:
        """``jobs/update`` replaces a whole top-level field, so the schedule is sent back as it stands."""
        answer = await self._http.get("jobs/get", {"job_id": order.job.job_id})
        settings = answer.parse(_JOB).settings
        name = next((name for name in _TRIGGERS if isinstance(settings.get(name), dict)), None)
        if name is None:
            raise UnexpectedAnswer("the job has no schedule that could be paused or resumed")
        word = "PAUSED" if order.verb == "pause" else "UNPAUSED"
        new = {name: {**settings[name], "pause_status": word}}
        body = {"job_id": int(order.job.job_id), "new_settings": new}
        await self._http.send("jobs/update", body)
        return Receipt(f"the {name} is {word}")
