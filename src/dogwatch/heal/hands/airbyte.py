"""Airbyte: start a sync, cancel one, switch a connection off and on (public API v1).

Needs the role workspace runner for syncs, workspace editor for connections. Airbyte knows no idempotency key,
but refuses a second sync of a connection while one is going (409).
"""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, TypeAdapter

from dogwatch.model import Risk
from dogwatch.wire.acting import Order, Proof, Receipt, Verb
from dogwatch.wire.clock import Clock
from dogwatch.wire.http import Http

VERBS: Mapping[str, Verb] = {
    "rerun": Verb(Risk.safe, "Sync {job} once", Proof.new_run),
    "cancel": Verb(
        Risk.disruptive, "Cancel the sync of {job}", Proof.run_over, repeatable=True, about_run=True
    ),
    "pause": Verb(Risk.disruptive, "Switch {job} off", Proof.job_paused, repeatable=True),
    "resume": Verb(Risk.safe, "Switch {job} on", Proof.job_active, repeatable=True),
}


class _Sync(BaseModel):
    model_config = ConfigDict(extra="ignore")

    jobId: int  # noqa: N815  # the wire's spelling


_SYNC = TypeAdapter(_Sync)


class Hands:
    """What dogwatch can change on Airbyte."""

    def __init__(self, http: Http, settings: BaseModel, clock: Clock) -> None:
        self._http = http

    def verbs(self) -> Mapping[str, Verb]:
        """See ``CanAct``."""
        return VERBS

    async def act(self, order: Order) -> Receipt:
        """See ``CanAct``."""
        job_id = order.job.job_id
        if order.verb == "rerun":
            answer = await self._http.send("jobs", {"connectionId": job_id, "jobType": "sync"})
            made = str(answer.parse(_SYNC).jobId)
            return Receipt(f"job {made} was created", native_run_id=made)
        if order.verb == "cancel":
            assert order.run is not None  # ``about_run``
            await self._http.send(f"jobs/{order.run.native_run_id}", None, method="DELETE")
            return Receipt(f"job {order.run.native_run_id} is being cancelled")
        status = "inactive" if order.verb == "pause" else "active"
        await self._http.send(f"connections/{job_id}", {"status": status}, method="PATCH")
        return Receipt(f"the connection is {status}")
