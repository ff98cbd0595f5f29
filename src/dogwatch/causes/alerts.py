"""Alerts as evidence: the rarer, the more they say.

An alert has no past of its own, so other incidents are its reference. One that this node raises in every
incident says nothing; one that it raises in one of a hundred says much (inverse document frequency). Alerts
of a family on one node are not independent; they add up like orthogonal vectors, not like votes.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from dogwatch.causes.evidence import Evidence, Kind
from dogwatch.causes.figures import Meaning, kind_of, meaning


@dataclass(frozen=True, order=True)
class Alert:
    """Something a monitor complained about."""

    node: str
    kind: str
    """``metric``, ``trace`` or ``log``."""
    name: str
    """The metric, the operation or the template."""
    what: str = ""
    """``up`` or ``down`` for metrics; for traces ``PD`` (slow), a status or ``ERROR``."""
    caller: str = ""
    """For traces, who called; not part of what makes an alert rare."""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What recurs from incident to incident."""
        return (self.node, self.kind, self.name, self.what)


class AlertHistory:
    """How many incidents have which alert."""

    def __init__(self, incidents: Iterable[Iterable[Alert]] = ()) -> None:
        self.incidents = 0
        self._seen: Counter[tuple[str, str, str, str]] = Counter()
        for alerts in incidents:
            self.add(alerts)

    def add(self, alerts: Iterable[Alert]) -> None:
        """Count one more incident; an incident without alerts tells nothing about them."""
        identities = {alert.identity for alert in alerts}
        if identities:
            self.incidents += 1
            self._seen.update(identities)

    def rarity(self, identity: tuple[str, str, str, str]) -> float:
        """The logarithm of how seldom it occurs; above 0 even if it always does."""
        return max(0.0, math.log((self.incidents + 1) / (self._seen[identity] + 0.5)))


def from_alerts(alerts: Iterable[Alert], history: AlertHistory) -> list[Evidence]:
    """Evidence from the alerts of a case: one fact per node and family of alerts."""
    families: dict[tuple[str, str, Kind], list[tuple[float, str]]] = defaultdict(list)
    for identity in sorted({alert.identity for alert in alerts}):
        node, kind, name, what = identity
        family, sort = _family(kind, name, what)
        if sort is not None:
            families[node, family, sort].append(
                (history.rarity(identity), f"{kind} alert {name} {what}".strip())
            )
    return [
        Evidence(
            node, sort, math.sqrt(math.fsum(rarity**2 for rarity, _ in found)), max(found)[1], measured=False
        )
        for (node, _, sort), found in sorted(families.items())
    ]


def _family(kind: str, name: str, what: str) -> tuple[str, Kind | None]:
    """Which alerts belong together, and what kind of evidence they are; None for good news."""
    if kind == "log":
        return "log", Kind.log
    if kind == "trace":
        return ("span slow", Kind.latency) if what.upper() in ("PD", "SLOW") else ("span error", Kind.errors)
    figure, rose = meaning(name), what.lower() not in ("down", "low", "fall", "below")
    if _good_news(figure, rose=rose):
        return "good news", None
    return f"{figure.family} {figure.outgoing} {rose}", kind_of(figure, rose=rose)


def _good_news(figure: Meaning, *, rose: bool) -> bool:
    return (figure.family in ("latency", "errors") and not rose) or (figure.family == "success" and rose)
