"""One graph out of everything that is known of dependencies."""

from collections.abc import Iterable

from dogwatch.model import Job, Schedule
from dogwatch.pipelines.discover import platform_edges, table_edges
from dogwatch.pipelines.graph import Edge, Graph, Node
from dogwatch.pipelines.lineage import Step, lineage_edges
from dogwatch.pipelines.members import Roster, declared_edges, members_of
from dogwatch.pipelines.spec import Pipeline


def graph_of(
    jobs: Iterable[Job],
    declared: Iterable[Pipeline] = (),
    lineage: Iterable[Step] = (),
    habits: Iterable[Edge] = (),
    components: Iterable[Node] = (),
) -> Graph:
    """The graph of these jobs.

    ``declared`` are the user's pipelines, ``lineage`` the steps that manifests and lineage events tell,
    ``habits`` the edges that follow from timing alone. What the platforms tell (predecessors, triggers,
    tables read and written) stands in the jobs. Ends that are no known job become nodes of their own.
    """
    known = list(jobs)
    pipelines = list(declared)
    roster = Roster(known)
    edges = [*platform_edges(known), *table_edges(known), *lineage_edges(known, lineage, roster), *habits]
    edges += [edge for one in pipelines for edge in declared_edges(one, roster)]
    nodes = [_node(job) for job in known]
    return Graph([*nodes, *components], edges, {one.name: members_of(one, roster) for one in pipelines})


def _node(job: Job) -> Node:
    return Node(
        subject=job.subject,
        name=job.name,
        platform=job.platform,
        owner=job.owner,
        schedule=_when(job.schedule),
    )


def _when(schedule: Schedule | None) -> str:
    if schedule is None:
        return ""
    return f"{schedule.expression} {schedule.timezone}" if schedule.expression else schedule.kind.value
