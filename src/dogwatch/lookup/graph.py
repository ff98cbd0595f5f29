"""The pipeline graph, looked up for a person: all of it, a pipeline, or what concerns a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dogwatch.errors import SettingsError
from dogwatch.gather.graph import pipeline_graph
from dogwatch.gather.lineage import read_lineage
from dogwatch.model.text import one_line, plural
from dogwatch.pipelines.draw import Picture, focused
from dogwatch.pipelines.graph import Graph
from dogwatch.pipelines.lint import warnings
from dogwatch.pipelines.spec import Pipeline
from dogwatch.settings.pipelines import LineageSettings
from dogwatch.settings.zones import nearest
from dogwatch.store import Store

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture with its heading and what is odd about it."""

    picture: Picture
    heading: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """The graph of everything, and what is odd about it."""

    graph: Graph
    warnings: tuple[str, ...] = ()


def chart(
    store: Store, declared: Sequence[Pipeline], lineage: LineageSettings, what: str | None, now: datetime
) -> Chart:
    """The graph of everything that is joined to something, or of the pipeline or job that ``what`` names.

    Live incidents mark where trouble began and who is hit. Raises SettingsError if nothing is called so, or
    StoreError.
    """
    return pictured(store, survey(store, declared, lineage, now), what)


def survey(
    store: Store, declared: Sequence[Pipeline], lineage: LineageSettings, now: datetime | None
) -> Survey:
    """The whole graph; without ``now`` no habit is looked up anew."""
    files = read_lineage(lineage)
    graph = pipeline_graph(store, declared, lambda: files.steps, now)
    return Survey(graph, (*warnings(graph), *files.problems))


def pictured(store: Store, known: Survey, what: str | None, most: int | None = None) -> Chart:
    """A part of what was surveyed, with the marks of live incidents. Of more than ``most`` jobs nobody sees
    anything: then what concerns the troubled ones stands for all. Raises as ``chart`` does."""
    live = store.live_incidents()
    whole = known.graph
    if what is None and most is not None and len(whole.nodes) > most:
        began = frozenset(one.culprit for one in live if one.culprit in whole.nodes)
        shown, heading = focused(whole, began), f"what concerns live incidents, of {len(whole.nodes):,} jobs"
    else:
        shown, heading = _chosen(store, whole, what)
    picture = Picture(
        shown,
        frozenset(incident.culprit for incident in live),
        frozenset(hit.subject for incident in live for hit in incident.affected),
    )
    certain = len(shown.certain)
    counts = f"{plural(len(shown.nodes), 'job')} · {plural(certain, 'edge')}"
    more = len(shown.edges) - certain
    counts += f" · {more} more suggested" if more else ""
    return Chart(picture, f"{heading} · {counts}" if heading else counts, known.warnings)


def _chosen(store: Store, whole: Graph, what: str | None) -> tuple[Graph, str]:
    """The part to show, and what it is called."""
    if what is None:
        alone = {one for one in whole.nodes if not whole.upstream(one) and not whole.downstream(one)}
        named = {subject for members in whole.pipelines.values() for subject in members.subjects}
        kept = whole.nodes.keys() - (alone - named)
        left = len(whole.nodes) - len(kept)
        return whole.part(
            kept
        ), f"all, without {plural(left, 'job')} that nothing is known to join" if left else "all"
    members = whole.pipelines.get(what) or next(
        (one for name, one in whole.pipelines.items() if name.casefold() == what.casefold()), None
    )
    if members is not None:
        part = whole.part(frozenset(members.subjects), only=(members.pipeline.name,))
        return part, one_line(members.pipeline.name, 60)
    known = what in whole.nodes
    found = [what] if known else [f"{key[0]}/{key[1]}" for key in store.jobs_like(what)]
    exact = [
        subject for subject in found if what in {subject, whole.name(subject), subject.partition("/")[2]}
    ]
    chosen = exact or found
    if not chosen:
        near = nearest(what, [*whole.pipelines, *(node.name for node in whole.nodes.values())])
        hint = f"did you mean {near!r}?" if near else "dogwatch graph draws everything that is known"
        raise SettingsError(f"no pipeline and no job is called {one_line(what, 80)!r}", hint)
    names = ", ".join(one_line(whole.name(subject), 60) for subject in chosen[:_NAMED])
    more = f" and {len(chosen) - _NAMED} more" if len(chosen) > _NAMED else ""
    return focused(whole, frozenset(chosen)), names + more
