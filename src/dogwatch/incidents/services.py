"""What a sick service does to its neighbours: to who calls it, hands over to it or reads from it.

An edge between two services does not say which way trouble travels: a caller waits for what it calls, a
reader for what it reads. What they say tells it. One that names a cause of its own (its disk is full, its
code is at fault) explains a neighbour that names none; of two that say the same the earlier explains the
later, and so it does of two of which one or both merely wait. A job that fails because something that it
depends on does not answer, or with its very words, or for want of the same space or memory, follows from it.
Where nobody has told of an edge, a service or a job whose own words name another service has told it.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from dogwatch.causes.testimony import class_of, words
from dogwatch.incidents.reason import SHARED
from dogwatch.incidents.trouble import FAILS, Trouble
from dogwatch.model import CauseClass, Evidence, EvidenceKind, Finding
from dogwatch.model.signal import COMPONENT
from dogwatch.pipelines.graph import Graph

_NO_ANSWER = frozenset({CauseClass.network_timeout, CauseClass.dependency_outage})
"""What is said of somebody else that does not answer."""
_TOGETHER = SHARED - {CauseClass.resource_exhaustion}
"""What two that lack it lack for one reason; there are many resources."""
_POOL = re.compile(r"connection|\bpool\b")
"""Of words about a resource: those of connections, which are used up while somebody else does not answer."""
_SPACE = {"disk": re.compile(r"\bdisk|\bspace\b"), "memory": re.compile(r"memory|\bheap\b|\boom\b")}
"""What is short, by the words or the figure that say so."""
_TEXTS = ("error_message", "template", "answer")


@dataclass(frozen=True, slots=True)
class _Words:
    """What is said and measured of one trouble."""

    classes: frozenset[CauseClass]
    phrases: frozenset[str]
    """The words that decided the classes, and what is short."""
    texts: tuple[str, ...]

    @property
    def own(self) -> bool:
        """Whether a cause of its own is named."""
        return bool(self.classes - _NO_ANSWER)

    def like(self, other: "_Words") -> bool:
        """Whether both say the same, or lack the same thing that several use together."""
        return bool(self.phrases & other.phrases or self.classes & other.classes & _TOGETHER)


class Services:
    """The services in trouble, and what they say."""

    def __init__(
        self, troubles: Mapping[str, Trouble], graph: Graph, evidence: Mapping[str, Evidence]
    ) -> None:
        self._graph = graph
        self._evidence = evidence
        self._ill = {
            name: (one, _words(one, evidence)) for name, one in troubles.items() if name.startswith(COMPONENT)
        }

    def behind(self, trouble: Trouble) -> Iterator[str]:
        """Those whose trouble may explain this one, as far as words go; the times are not judged."""
        service = trouble.subject.startswith(COMPONENT)
        others = self._ill.keys() - {trouble.subject}
        if not others or not (service or trouble.lead.rule in FAILS):
            return
        mine, near = _words(trouble, self._evidence), _near(trouble.subject, self._graph)
        for name in sorted(others):
            other, theirs = self._ill[name]
            if name in near and service:
                explains = _explains(theirs, mine, earlier=other.at < trouble.at)
            else:
                named = name in near or _names(mine, name.removeprefix(COMPONENT))
                explains = named and _fails_of(theirs, mine)
            if explains:
                yield name


def _near(subject: str, graph: Graph) -> Collection[str]:
    """Of a service its neighbours on both sides, of a job everything that it certainly depends on."""
    if not subject.startswith(COMPONENT):
        return graph.ancestors(subject, suggested=False).keys()
    above = {edge.upstream for edge in graph.upstream(subject, suggested=False)}
    return above | {edge.downstream for edge in graph.downstream(subject, suggested=False)}


def _explains(theirs: _Words, mine: _Words, *, earlier: bool) -> bool:
    if theirs.own != mine.own:
        return theirs.own
    if theirs.own:
        return earlier and mine.like(theirs)
    return earlier and bool(theirs.classes or mine.classes)


def _fails_of(theirs: _Words, mine: _Words) -> bool:
    return bool(mine.classes & _NO_ANSWER) or mine.like(theirs)


def _names(mine: _Words, name: str) -> bool:
    found = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    return any(found.search(text) for text in mine.texts)


def _words(trouble: Trouble, evidence: Mapping[str, Evidence]) -> _Words:
    classes, phrases = set[CauseClass](), set[str]()
    for finding in trouble.findings:
        said = words(finding, evidence)
        named, phrase = class_of(finding, said, evidence), said.said.phrase.casefold()
        if named is CauseClass.resource_exhaustion and _POOL.search(phrase):
            named = CauseClass.dependency_outage
        classes |= {named} if named else set()
        phrases |= {phrase} if phrase else set()
        short = [phrase, *_figures(finding, evidence)] if named is CauseClass.resource_exhaustion else []
        phrases |= {name for name, says in _SPACE.items() if any(says.search(one) for one in short)}
    return _Words(frozenset(classes), frozenset(phrases), tuple(_texts(trouble, evidence)))


def _figures(finding: Finding, evidence: Mapping[str, Evidence]) -> Iterator[str]:
    """The names of the figures that it cites."""
    for id_ in finding.evidence:
        item = evidence.get(id_)
        if item is not None and item.kind is EvidenceKind.metric:
            yield str(item.content.get("metric", "")).casefold()


def _texts(trouble: Trouble, evidence: Mapping[str, Evidence]) -> Iterator[str]:
    """What logs and runs that its findings cite say."""
    for finding in trouble.findings:
        for id_ in finding.evidence:
            item = evidence.get(id_)
            if item is not None and item.kind in (EvidenceKind.log, EvidenceKind.run):
                told = (item.content.get(key) for key in _TEXTS)
                yield from (text for text in told if isinstance(text, str))
