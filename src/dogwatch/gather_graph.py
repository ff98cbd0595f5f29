"""The pipeline graph out of what is remembered. Sync: runs in the store's thread."""

from collections.abc import Iterable

from dogwatch.pipelines.build import graph_of
from dogwatch.pipelines.graph import Edge, Graph
from dogwatch.pipelines.spec import Pipeline
from dogwatch.store import Store


def pipeline_graph(store: Store, declared: Iterable[Pipeline] = (), lineage: Iterable[Edge] = ()) -> Graph:
    """One graph of all remembered jobs, for everybody who asks what depends on what.

    ``declared`` are the pipelines of dogwatch.yaml, ``lineage`` the edges read from the files it names.
    Call it once a round: ``graph = await thread(pipeline_graph, store, declared, lineage)``.
    Raises StoreError.
    """
    return graph_of(store.jobs(), declared, lineage)
