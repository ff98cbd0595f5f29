"""The health of the whole, of platforms and of pipelines, out of findings and of what is remembered of jobs.

Sync: runs in the store's thread.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from dogwatch.detect.health import assess
from dogwatch.model import Finding, HealthAssessment
from dogwatch.pipelines.members import members_of
from dogwatch.pipelines.spec import Pipeline
from dogwatch.store import Store


def health(
    store: Store,
    findings: Sequence[Finding],
    titles: Mapping[str, str],
    declared: Sequence[Pipeline],
    now: datetime,
) -> list[HealthAssessment]:
    """One assessment for everything, each configured platform and each declared pipeline.

    ``titles`` are the platforms' names for people, by instance. Raises StoreError.
    """
    known = store.job_counts()
    counts = {instance: known.get(instance, 0) for instance in titles}
    jobs = store.jobs() if declared else []
    pipelines = {one.name: frozenset(members_of(one, jobs).subjects) for one in declared}
    names = dict(titles)
    wanted: dict[str, set[str]] = {}
    for finding in findings:
        instance, slash, job_id = finding.subject.partition("/")
        if slash and instance in counts:
            wanted.setdefault(instance, set()).add(job_id)
    for instance, ids in sorted(wanted.items()):
        names |= {f"{instance}/{job_id}": name for job_id, name in store.job_names(instance, ids).items()}
    return assess(findings, counts, pipelines, names, now)
