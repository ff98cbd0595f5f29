"""What is odd about the declared pipelines and the graph: told, never fatal."""

from collections import Counter
from collections.abc import Iterator

from dogwatch.model.text import one_line
from dogwatch.pipelines.graph import Graph, Members

_NAMED = 6


def warnings(graph: Graph) -> list[str]:
    """One sentence for each thing that is probably not meant, in order of the pipelines."""
    return [
        *_names(graph),
        *(said for members in graph.pipelines.values() for said in _pipeline(members)),
        *_circles(graph),
    ]


def _names(graph: Graph) -> Iterator[str]:
    """Names that differ only in how they are written, so that people will mix them up."""
    folded = Counter(" ".join(name.casefold().split()) for name in graph.pipelines)
    for name in graph.pipelines:
        if folded[" ".join(name.casefold().split())] > 1:
            yield f"pipeline {_quoted(name)}: another one has nearly the same name"


def _pipeline(members: Members) -> Iterator[str]:
    name = f"pipeline {_quoted(members.pipeline.name)}"
    if not members.subjects:
        yield f"{name}: none of its jobs is known; dogwatch runs lists those that are"
    else:
        for pattern in members.unmatched:
            yield f"{name}: no known job matches {_quoted(pattern)}"


def _circles(graph: Graph) -> Iterator[str]:
    for circle in graph.cycles:
        named = " → ".join(one_line(graph.name(subject), 60) for subject in circle[:_NAMED])
        more = f" and {len(circle) - _NAMED} more" if len(circle) > _NAMED else ""
        yield f"these depend on each other: {named}{more}; the graph cannot say which comes first"


def _quoted(text: str) -> str:
    return f"{one_line(text, 80)!r}"
