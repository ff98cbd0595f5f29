"""GitHub: run the failed jobs of a workflow run once more, or cancel it (REST API, version 2022-11-28).

Needs the permission Actions: write. GitHub refuses (403) to re-run what is under way or older than 30 days. A
workflow that never ran is a person's to start: whether it can be dispatched, and on which branch, stands in
its file alone.
"""

from collections.abc import Mapping
from urllib.parse import quote

from pydantic import BaseModel

from dogwatch.errors import UnexpectedAnswer
from dogwatch.model import Risk
from dogwatch.wire.acting import Order, Proof, Receipt, Verb
from dogwatch.wire.clock import Clock
from dogwatch.wire.github import HEADERS
from dogwatch.wire.http import Http

VERBS: Mapping[str, Verb] = {
    "repair": Verb(Risk.safe, "Re-run the failed jobs of {job}", Proof.new_attempt, about_run=True),
    "cancel": Verb(
        Risk.disruptive, "Cancel the run of {job}", Proof.run_over, repeatable=True, about_run=True
    ),
}
_CALLS = {"repair": "rerun-failed-jobs", "cancel": "cancel"}


class Hands:
    """What dogwatch can change on GitHub."""

    def __init__(self, http: Http, settings: BaseModel, clock: Clock) -> None:
        self._http = http

    def verbs(self) -> Mapping[str, Verb]:
        """See ``CanAct``."""
        return VERBS

    async def act(self, order: Order) -> Receipt:
        """See ``CanAct``."""
        assert order.run is not None  # ``about_run``
        repository = str(order.run.metadata.get("repository", ""))
        if not repository:
            raise UnexpectedAnswer(
                "the run's repository is not known", "wait for the next round, and try again"
            )
        run = quote(order.run.native_run_id)
        path = f"repos/{quote(repository)}/actions/runs/{run}/{_CALLS[order.verb]}"
        await self._http.send(path, None, headers=HEADERS)
        done = "its failed jobs are run again" if order.verb == "repair" else "it is being cancelled"
        return Receipt(f"run {order.run.native_run_id}: {done}")
