"""Runs as OpenLineage RunEvents (https://openlineage.io/spec/2-0-2/OpenLineage.json).

The same run always makes the same events: its id is ours, which follows from the platform's own facts, and
each event's time is the platform's. So an event that is sent again is the same event to whoever knows
events by run, type and time. Facets are of the versions that the URLs name.
"""

import math
from datetime import datetime
from typing import Any

from dogwatch import __version__
from dogwatch.model import Job, Run, Status
from dogwatch.pipelines.discover import user_of

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
PRODUCER = f"pkg:pypi/dogwatch@{__version__}"
"""A package URL (purl): who says it."""
_FACETS = "https://openlineage.io/spec/facets"
_ENDS = {
    Status.success: "COMPLETE",
    Status.warned: "COMPLETE",
    Status.failed: "FAIL",
    Status.timed_out: "FAIL",
    Status.cancelled: "ABORT",
    Status.skipped: "ABORT",
    Status.unknown: "OTHER",
}
"""``warned`` and the like stay told in the facet ``dogwatch``; OpenLineage has fewer words."""
_LANGUAGES = {"snowflake": "SQL"}
"""What the required ``programmingLanguage`` of an error is; most platforms do not say."""

Json = dict[str, Any]


def events_of(run: Run, job: Job | None, parent: Run | None, namespace: str) -> list[Json]:
    """What is known of a run as events, in order: START, and the end if it has come.

    Nothing for a run that only waits. ``namespace`` stands before the connector's name in the namespace of
    every job. Text of platforms is data: receivers have to escape it.
    """
    if run.status is Status.pending and run.started_at is None:
        return []
    parts = _parts(run, job, parent, namespace)
    events = [_event("START", run.began_at, parts)]
    word = _ENDS.get(run.status)
    if word is not None:
        ended = run.ended_at or run.version[0]
        events.append(_event(word, max(ended, run.began_at), _ended(run, parts)))
    return events


def _event(word: str, at: datetime, parts: Json) -> Json:
    return {
        "eventType": word,
        "eventTime": _moment(at),
        "producer": PRODUCER,
        "schemaURL": f"{SCHEMA}#/$defs/RunEvent",
        **parts,
    }


def _parts(run: Run, job: Job | None, parent: Run | None, namespace: str) -> Json:
    """What all events of a run have in common."""
    facets: Json = {}
    if run.scheduled_for is not None:
        facets["nominalTime"] = _facet(
            "1-0-1/NominalTimeRunFacet", nominalStartTime=_moment(run.scheduled_for)
        )
    if parent is not None:
        facets["parent"] = _facet(
            "1-2-0/ParentRunFacet",
            run={"runId": parent.uid},
            job={"namespace": _space(namespace, parent), "name": parent.job_id},
        )
    reads, writes = ((), ()) if job is None else (user_of(job).reads, user_of(job).writes)
    return {
        "run": {"runId": run.uid, "facets": facets},
        "job": {
            "namespace": _space(namespace, run),
            "name": run.job_id,
            "facets": _job_facets(run, job),
        },
        "inputs": [_dataset(run, table) for table in reads],
        "outputs": [_dataset(run, table) for table in writes],
    }


def _job_facets(run: Run, job: Job | None) -> Json:
    facets = {
        "jobType": _facet(
            "2-0-4/JobTypeJobFacet",
            processingType="BATCH",
            integration=run.platform.upper(),
            jobType=run.kind.upper() or "JOB",
        ),
        "documentation": _facet("1-0-0/DocumentationJobFacet", description=run.job_name),
    }
    if job is not None and job.owner:
        facets["ownership"] = _facet("1-0-0/OwnershipJobFacet", owners=[{"name": job.owner}])
    return facets


def _ended(run: Run, parts: Json) -> Json:
    """The same once it is over: with what became of it."""
    facets = {**parts["run"]["facets"], "dogwatch": _own(run)}
    if run.error_message is not None:
        facets["errorMessage"] = _facet(
            "1-0-1/ErrorMessageRunFacet",
            message=run.error_message,
            programmingLanguage=_LANGUAGES.get(run.platform, "unknown"),
        )
    outputs = parts["outputs"]
    metrics = _metrics(run)
    if "rows" in metrics and len(outputs) == 1:  # of several nobody knows which got how many
        size = {"size": int(metrics["bytes"])} if "bytes" in metrics else {}
        told = {"rowCount": int(metrics["rows"]), **size}
        statistics = _facet("1-0-2/OutputStatisticsOutputDatasetFacet", **told)
        outputs = [{**outputs[0], "outputFacets": {"outputStatistics": statistics}}]
    return {**parts, "run": {"runId": run.uid, "facets": facets}, "outputs": outputs}


def _own(run: Run) -> Json:
    """What OpenLineage has no word for."""
    told = {
        "platform": run.platform,
        "instance": run.instance,
        "nativeRunId": run.native_run_id,
        "attempt": run.attempt,
        "status": run.status.value,
        "nativeStatus": run.native_status,
        "trigger": run.trigger,
        "url": run.url,
        "metrics": _metrics(run),
    }
    return {"_producer": PRODUCER, "_schemaURL": f"{SCHEMA}#/$defs/RunFacet", **told}


def _metrics(run: Run) -> dict[str, float]:
    """Its numbers; JSON has no word for what is not finite."""
    return {name: value for name, value in run.metrics.items() if math.isfinite(value)}


def _facet(which: str, **told: Any) -> Json:
    return {"_producer": PRODUCER, "_schemaURL": f"{_FACETS}/{which}.json", **told}


def _dataset(run: Run, table: str) -> Json:
    return {"namespace": f"{run.platform}://{run.instance}", "name": table}


def _space(namespace: str, run: Run) -> str:
    return f"{namespace}/{run.instance}"


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
