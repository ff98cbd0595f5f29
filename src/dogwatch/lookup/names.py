"""Everything that a question may name, from what is remembered. Sync; asks no platform."""

from collections.abc import Mapping, Sequence

from dogwatch.model import IncidentState
from dogwatch.model.signal import COMPONENT
from dogwatch.questions.names import Named
from dogwatch.store import Store
from dogwatch.store.incidents import IncidentFilter

_PAST = 200


def catalogue(store: Store, platforms: Mapping[str, str], pipelines: Sequence[str]) -> list[Named]:
    """Jobs, pipelines, platforms and components, each with whether a live incident concerns it.

    ``platforms`` are titles by instance.
    """
    live = store.live_incidents()
    culprits = {one.culprit for one in live}
    hit = {two.subject for one in live for two in one.affected}

    def concern(subject: str) -> int:
        return 2 if subject in culprits else 1 if subject in hit else 0

    found = [
        Named("job", f"{job.instance}/{job.job_id}", job.name, concern(f"{job.instance}/{job.job_id}"))
        for job in store.jobs()
    ]
    found += [Named("pipeline", name, name) for name in pipelines]
    for instance, title in platforms.items():
        found.append(Named("platform", instance, title, concern(instance)))
    past = store.incidents(IncidentFilter(states=(IncidentState.resolved,), limit=_PAST))
    parts = {one.culprit for one in [*live, *past]} | hit
    parts |= {two.subject for one in past for two in one.affected}
    for subject in sorted(parts):
        if subject.startswith(COMPONENT):
            found.append(Named("component", subject, subject.removeprefix(COMPONENT), concern(subject)))
    return found
