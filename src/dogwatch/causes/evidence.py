"""What speaks against a node, and how much it says: the one scale on which all evidence is weighed.

Whatever the source (a metric, an alert, log templates), evidence becomes a strength: how far something is
from what is usual for it. A node's guilt is the sum over its evidence of ``weight * strength ** POWER``,
after symptoms that a callee explains have been taken off.

Why these weights: a node that burns CPU or fills memory does so itself, so its own resources weigh most.
Slow answers travel up to every caller, errors even more so; hence symptoms weigh less and are explained
away. What a node sees of others (its outgoing calls) says little against itself. Templates that appear or
vanish are the code's own testimony, as is a change of its own just before. A job that depends on another
"calls" it: what failed, is late or moves too little for want of its input is explained by its input's
trouble, unless its own error names a cause of its own. The figures are rounded; the results stand on a
plateau around them (see docs/causes.md).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The sort of fact, which decides its weight."""

    resource = "resource"
    """Own CPU, memory, threads or connections rose."""
    resource_fall = "resource_fall"
    """They fell: mostly because less work arrived."""
    disk = "disk"
    """Disk space, disk traffic or system calls changed."""
    network_rise = "network_rise"
    """More bytes than usual: mostly because more work arrived."""
    network_fall = "network_fall"
    """Fewer bytes than usual: cut off, or not working."""
    latency = "latency"
    """It answers slower: a symptom."""
    errors = "errors"
    """It answers with errors: a symptom."""
    outgoing = "outgoing"
    """Its calls to others are slow or fail: the callee's symptom, seen from here."""
    traffic = "traffic"
    """It gets more or fewer requests."""
    log = "log"
    """What it says in its log has changed."""
    error_log = "error_log"
    """It logs errors: a symptom, because errors of a callee are logged too."""
    own_words = "own_words"
    """Its own error names a cause that nobody upstream can give it."""
    failure = "failure"
    """A run of it ended badly: a symptom as long as its words do not say otherwise."""
    absence = "absence"
    """A run of it did not come, came late or was skipped: a symptom."""
    course = "course"
    """A run of it took unusually long, or moved an unusual amount: a symptom."""
    unseen = "unseen"
    """It cannot be read at all."""
    change = "change"
    """It was changed before the trouble began: a deployment, an edited schedule, a switch."""
    reach = "reach"
    """It lies upstream of others that are in trouble, and its trouble came first."""
    shared = "shared"
    """Several of its jobs, none upstream of another, are in the same trouble."""
    other = "other"
    """A figure of unknown meaning changed."""


WEIGHT: Mapping[Kind, float] = {
    Kind.resource: 1.25,
    Kind.resource_fall: 0.5,
    Kind.disk: 0.4,
    Kind.network_rise: 0.3,
    Kind.network_fall: 0.8,
    Kind.latency: 1.1,
    Kind.errors: 0.5,
    Kind.outgoing: 0.5,
    Kind.traffic: 0.9,
    Kind.log: 2.0,
    Kind.error_log: 1.0,
    Kind.own_words: 1.5,
    Kind.failure: 1.0,
    Kind.absence: 0.9,
    Kind.course: 0.7,
    Kind.unseen: 1.25,
    Kind.change: 2.0,
    Kind.reach: 0.8,
    Kind.shared: 2.0,
    Kind.other: 0.4,
}
POWER = 1.3
"""Above 1: one strong witness beats several weak ones."""
EXPLAINED = 0.9
"""The share of a symptom that an equally strong fact about a callee takes away."""
FRONT_DOOR = 0.1
"""What is held against the node that raised the alarm for that alone: it is blamed if nothing else speaks."""

SYMPTOMS = frozenset(
    {Kind.latency, Kind.errors, Kind.outgoing, Kind.error_log, Kind.failure, Kind.absence, Kind.course}
)
EXPLAINS = frozenset(
    {
        Kind.latency,
        Kind.errors,
        Kind.resource,
        Kind.log,
        Kind.own_words,
        Kind.failure,
        Kind.absence,
        Kind.course,
        Kind.shared,
    }
)
"""What a callee must show to explain its caller's symptoms."""


@dataclass(frozen=True)
class Evidence:
    """One fact about one node."""

    node: str
    kind: Kind
    strength: float
    """0 is nothing; about 1 is worth a look; measured on a logarithmic scale."""
    says: str
    """The fact in words."""
    measured: bool = True
    """True if the same thing is measured on every node, so that the lack of it on a callee means something.
    Alerts are not: they only exist where somebody set a rule."""


@dataclass(frozen=True)
class Suspect:
    """A node with what is held against it."""

    node: str
    score: float
    reasons: tuple[str, ...]
    """The facts that weigh most, heaviest first; at most three."""


def weigh(
    nodes: Iterable[str],
    edges: Iterable[tuple[str, str]],
    evidence: Iterable[Evidence],
    front_door: str | None = None,
) -> list[Suspect]:
    """All nodes, the most suspicious first; equals by name, so the order of the input never matters.

    ``edges`` are (caller, callee); ``front_door`` is the node at which the trouble was noticed.
    """
    known = sorted(set(nodes))
    of_node: dict[str, list[Evidence]] = {node: [] for node in known}
    for fact in evidence:
        if fact.node in of_node and fact.strength > 0:
            of_node[fact.node].append(fact)
    own = {node: _explaining(facts) for node, facts in of_node.items()}
    below = dict.fromkeys(known, 0.0)
    for caller, callee in edges:
        if caller != callee and caller in below and callee in own:
            below[caller] = max(below[caller], own[callee])
    suspects = (_suspect(node, of_node[node], below[node], node == front_door) for node in known)
    return sorted(suspects, key=lambda suspect: (-suspect.score, suspect.node))


def _explaining(facts: list[Evidence]) -> float:
    return max((fact.strength for fact in facts if fact.measured and fact.kind in EXPLAINS), default=0.0)


def _suspect(node: str, facts: list[Evidence], below: float, front: bool) -> Suspect:
    weighed = sorted(((_guilt(fact, below), fact.says) for fact in facts), key=lambda x: (-x[0], x[1]))
    score = math.fsum(guilt for guilt, _ in weighed)
    if front:
        score += FRONT_DOOR * (1 - EXPLAINED * min(1.0, below))
    return Suspect(node, score, tuple(says for guilt, says in weighed[:3] if guilt > 0.01))


def _guilt(fact: Evidence, below: float) -> float:
    strength = fact.strength
    if fact.measured and fact.kind in SYMPTOMS:
        strength *= 1 - EXPLAINED * min(1.0, below / strength)
    return WEIGHT[fact.kind] * math.pow(strength, POWER)
