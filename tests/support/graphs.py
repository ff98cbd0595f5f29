"""Small graphs and jobs for tests."""

from typing import Any

from hypothesis import strategies as st

from dogwatch.model import Job, Schedule, ScheduleKind
from dogwatch.pipelines.graph import Edge, EdgeBasis, Graph
from support.clock import NOON

CRON = Schedule(kind=ScheduleKind.cron, expression="0 2 * * *")


def job(subject: str, name: str = "", **changes: Any) -> Job:
    """A job by its subject; ``reads`` and the like become metadata."""
    instance, _, job_id = subject.partition("/")
    words = {
        key: [*changes.pop(key)]
        for key in ("reads", "writes", "awaits", "starts", "follows")
        if key in changes
    }
    told: dict[str, Any] = {"schedule": CRON, "metadata": words, "platform": instance, **changes}
    return Job(instance=instance, job_id=job_id, name=name or job_id, observed_at=NOON, **told)


def edge(text: str, basis: EdgeBasis = EdgeBasis.declared, **changes: Any) -> Edge:
    """``a>b`` as an edge."""
    upstream, downstream = text.split(">")
    return Edge(upstream=upstream, downstream=downstream, basis=basis, **changes)


def graph(*edges: str) -> Graph:
    """A graph of declared edges, ``a>b``."""
    return Graph(edges=[edge(one) for one in edges])


_NODES = st.sampled_from([f"p/{letter}" for letter in "abcdefgh"])
EDGES = st.builds(
    Edge,
    upstream=_NODES,
    downstream=_NODES,
    basis=st.sampled_from(EdgeBasis),
    confidence=st.floats(0, 1),
    triggers=st.booleans(),
    why=st.text(max_size=8),
)
GRAPHS = st.builds(lambda edges: Graph(edges=edges), st.lists(EDGES, max_size=24))
"""Any small graph, circles included."""
