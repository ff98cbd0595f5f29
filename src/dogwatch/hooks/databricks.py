"""Databricks' notifications by webhook: a run of a job that began, ended, or takes too long.

Facts: a notification destination of the type generic webhook; HTTP Basic is all it can show, so the secret
is its password. Identifiers come as text or as numbers; details are read from the run itself.
"""

from typing import Any, cast

from dogwatch.hooks.base import Heard, Hook, HookSettings, Post, Refused, read_object
from dogwatch.model.text import one_line


class DatabricksSettings(HookSettings):
    """Who may call."""


class Databricks(Hook[DatabricksSettings]):
    """Takes what Databricks says of runs."""

    Settings = DatabricksSettings
    title = "Databricks"

    def hear(self, post: Post) -> Heard:
        """Which run it is about. Raises Refused."""
        self.shown(post)
        told = read_object(post.body)
        sort, run, job = told.get("event_type"), _part(told, "run"), _part(told, "job")
        if not isinstance(sort, str) or not sort.startswith("jobs.") or not run.get("run_id"):
            raise Refused(400, "this is not what Databricks sends: event_type or run is missing")
        what = sort.removeprefix("jobs.").replace("_", " ")
        return Heard(
            key=f"{told.get('workspace_id')}/{run['run_id']}/{sort}"[:500],
            says=one_line(f"{what}: run {run['run_id']} of {job.get('name') or job.get('job_id')}", 200),
        )


def _part(told: dict[str, Any], key: str) -> dict[str, Any]:
    part: Any = told.get(key)
    return cast("dict[str, Any]", part) if isinstance(part, dict) else {}
