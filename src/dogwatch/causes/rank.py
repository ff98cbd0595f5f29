"""Which node is behind an incident: all evidence there is, weighed on one scale.

Takes plain values and returns plain values: from metrics and a call graph, from alerts, from log templates,
from any of them together. See ``causes.evidence`` for the weights and why.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dogwatch.causes.alerts import Alert, AlertHistory, from_alerts
from dogwatch.causes.calls import Call, from_calls
from dogwatch.causes.evidence import Evidence, Suspect, weigh
from dogwatch.causes.figures import Series, from_series
from dogwatch.causes.templates import LogHistory, Window, from_logs


@dataclass(frozen=True)
class Case:
    """What is known of one incident. Everything but the nodes may be missing."""

    case: str
    """Its name; tells it apart from the other incidents of a background."""
    nodes: tuple[str, ...]
    """The candidates."""
    edges: tuple[tuple[str, str], ...] = ()
    """(caller, callee); may name others than the candidates."""
    front_door: str | None = None
    """The node at which the trouble was noticed."""
    metrics: Mapping[str, Mapping[str, Series]] = field(default_factory=dict[str, Mapping[str, Series]])
    """Node -> figure -> series."""
    calls_before: tuple[Call, ...] = ()
    """Calls in a fault-free stretch."""
    calls_after: tuple[Call, ...] = ()
    """Calls since onset."""
    alerts: tuple[Alert, ...] = ()
    logs_before: Window | None = None
    """What was logged in a fault-free stretch."""
    logs_after: Window | None = None
    """What was logged since onset."""


class Background:
    """What is usual, learnt from incidents without knowing their causes: alerts and log windows.

    Metrics need none, they carry their own history. With a single incident an alert counts as any other, and
    templates are compared with that incident's own quiet window.
    """

    def __init__(self, cases: Iterable[Case] = ()) -> None:
        self.alerts = AlertHistory()
        self.logs = LogHistory()
        for case in cases:
            self.add(case)

    def add(self, case: Case) -> None:
        """Learn from one more incident."""
        self.alerts.add(case.alerts)
        if case.logs_before is not None:
            self.logs.add_quiet(case.logs_before)
        if case.logs_after is not None:
            self.logs.add_incident(case.case, case.logs_after)


def gather(case: Case, background: Background) -> list[Evidence]:
    """All evidence of a case."""
    facts = from_series(case.metrics) + from_calls(case.calls_before, case.calls_after)
    facts += from_alerts(case.alerts, background.alerts)
    if case.logs_after is not None:
        facts += from_logs(case.case, case.logs_after, background.logs)
    return facts


def rank(case: Case, background: Background | None = None) -> list[Suspect]:
    """All nodes of a case, the likeliest culprit first. Without a background the case is its own."""
    known = background or Background([case])
    return weigh(case.nodes, case.edges, gather(case, known), case.front_door)
