"""Snowflake: execute a task, retry its last failed graph, cancel a query, suspend and resume (SQL API v2).

Needs OPERATE on the task (and, for its owner, EXECUTE TASK and USAGE on the warehouse). Only root and
stand-alone tasks can be executed or retried; RETRY LAST needs a graph that was not modified since it failed.
"""

import re
from collections.abc import Mapping

from pydantic import BaseModel

from dogwatch.errors import UnexpectedAnswer
from dogwatch.model import Risk, Run
from dogwatch.wire.acting import Order, Proof, Receipt, Verb
from dogwatch.wire.clock import Clock
from dogwatch.wire.http import Http
from dogwatch.wire.sqlapi import SqlApi

VERBS: Mapping[str, Verb] = {
    "repair": Verb(
        Risk.safe,
        "Retry the last failed run of {job} and what follows it",
        Proof.new_attempt,
        about_run=True,
        roots_only=True,
    ),
    "rerun": Verb(Risk.safe, "Execute {job} once, with what follows it", Proof.new_run, roots_only=True),
    "cancel": Verb(
        Risk.disruptive, "Cancel the query of {job}", Proof.run_over, repeatable=True, about_run=True
    ),
    "pause": Verb(Risk.disruptive, "Suspend {job}", Proof.job_paused, repeatable=True),
    "resume": Verb(Risk.safe, "Resume {job}", Proof.job_active, repeatable=True),
}
_STATEMENTS = {
    "repair": "EXECUTE TASK {task} RETRY LAST",
    "rerun": "EXECUTE TASK {task}",
    "pause": "ALTER TASK {task} SUSPEND",
    "resume": "ALTER TASK {task} RESUME",
}
_QUERY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Hands:
    """What dogwatch can change on Snowflake."""

    def __init__(self, http: Http, settings: BaseModel, clock: Clock) -> None:
        given = settings.model_dump(include={"warehouse", "role"})
        self._sql = SqlApi(http, clock, warehouse=given["warehouse"], role=given["role"])

    def verbs(self) -> Mapping[str, Verb]:
        """See ``CanAct``."""
        return VERBS

    async def act(self, order: Order) -> Receipt:
        """See ``CanAct``."""
        if order.verb == "cancel":
            statement = f"SELECT SYSTEM$CANCEL_QUERY('{_query_id(order.run)}')"
        else:
            if VERBS[order.verb].roots_only and order.job.after:
                raise UnexpectedAnswer(
                    "Snowflake executes and retries root tasks only",
                    f"act on the task that {order.job.name} follows",
                )
            statement = _STATEMENTS[order.verb].format(task=_quoted(order.job.job_id))
        said = ""
        async for rows in self._sql.command(statement):
            said = said or next((cell for row in rows for cell in row.values() if cell), "")
        return Receipt(said or "done")


def _quoted(job_id: str) -> str:
    """``DATABASE.SCHEMA.NAME`` with each part in quotes, so that nothing in a name is read as SQL."""
    parts = job_id.split(".", 2)
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def _query_id(run: Run | None) -> str:
    found = str(run.metadata.get("query_id", "")) if run else ""
    if not _QUERY_ID.fullmatch(found):
        raise UnexpectedAnswer("the run has no query that could be cancelled")
    return found
