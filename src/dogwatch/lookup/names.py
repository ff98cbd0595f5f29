"""Everything that a question may name, from what is remembered. Sync; asks no platform."""

from collections.abc import Collection, Mapping, Sequence

from dogwatch.errors import SettingsError
from dogwatch.model import IncidentState
from dogwatch.model.signal import COMPONENT
from dogwatch.model.text import one_line
from dogwatch.questions.names import Named
from dogwatch.store import Store
from dogwatch.store.incidents import IncidentFilter

_PAST = 200


def no_connector(name: str, configured: Collection[str], gone: Collection[str] = ()) -> SettingsError:
    """What to say to whoever names a connector that there is not; ``gone``: those only remembered."""
    hint = f"dogwatch.yaml has: {', '.join(configured) or 'none'}"
    if gone:
        hint += f"; remembered: {', '.join(gone)}"
    return SettingsError(f"no connector is called {one_line(name, 80)!r}", hint)


def must_be_connector(store: Store, configured: Mapping[str, str], name: str, or_kind: bool) -> None:
    """Raises SettingsError unless a connector is called so (``configured``: kind by name), was once and is
    remembered, or is of this kind where that is asked for too."""
    once = {one.instance: one.platform for one in store.sources()}
    kinds = {**once, **configured}
    if name not in kinds and not (or_kind and name in kinds.values()):
        raise no_connector(name, configured, [one for one in once if one not in configured])


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
