"""Log templates as evidence: what a node says, in which proportions.

Traffic changes how much is logged; a fault in the code changes what. So each template is counted per
occurrence of the node's most frequent one, and compared with the same share in other windows: a step that
always happens and stopped, or a message that never came and does. Shares have a binomial error; windows
differ by more than that, and how much is learnt from them.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dogwatch.causes.evidence import Evidence, Kind
from dogwatch.causes.figures import quantile

BELIEVABLE = 2.0
"""Standard errors below which a change of a share is noise."""
CERTAIN = 20.0
"""Standard errors beyond which it is no more certain."""
UNSEEN = 0.1
"""The spread between windows that is assumed as long as only one was seen; it fades as they become more."""

_ERROR = re.compile(r"\b(?:ERROR|FATAL|CRITICAL|SEVERE|PANIC|Traceback|\w{0,80}Exception)\b")

Counts = Mapping[str, Mapping[str, int]]
"""Node -> template -> how often."""
Shares = Mapping[str, float]


@dataclass(frozen=True)
class Window:
    """What was logged in one stretch of time."""

    counts: Counts

    def shares(self, node: str) -> Shares:
        """Each template of the node per occurrence of its most frequent one; empty if the node was silent."""
        own = {name: count for name, count in self.counts.get(node, {}).items() if count > 0}
        most = max(own.values(), default=0)
        return {name: count / most for name, count in own.items()}

    def most(self, node: str) -> int:
        """How often the node's most frequent template occurred."""
        return max(self.counts.get(node, {}).values(), default=0)


class LogHistory:
    """The windows that are known, each under the name of the incident it belongs to ("" for a quiet time)."""

    def __init__(self) -> None:
        self._windows: list[tuple[str, Window]] = []
        self._quiet: set[str] = set()
        self._shares: dict[str, list[tuple[str, Shares]]] = {}

    def add_quiet(self, window: Window) -> None:
        """A fault-free window; the same one, exported with several cases, counts once."""
        content = repr(sorted((node, sorted(of.items())) for node, of in window.counts.items()))
        if content not in self._quiet:
            self._quiet.add(content)
            self._add("", window)

    def add_incident(self, case: str, window: Window) -> None:
        """The window of an incident: for other incidents it is mostly usual."""
        self._add(case, window)

    def _add(self, case: str, window: Window) -> None:
        self._windows.append((case, window))
        self._shares.clear()

    def of(self, node: str, *, without: str) -> list[Shares]:
        """The node's shares in every window but those of the incident itself, silent ones left out."""
        if node not in self._shares:
            found = ((case, window.shares(node)) for case, window in self._windows)
            self._shares[node] = [(case, shares) for case, shares in found if shares]
        return [shares for case, shares in self._shares[node] if not case or case != without]


def from_logs(case: str, after: Window, history: LogHistory) -> list[Evidence]:
    """Evidence from what was logged since onset: per node what changed, errors apart."""
    found: list[Evidence] = []
    for node in sorted(after.counts):
        usual, shares = history.of(node, without=case), after.shares(node)
        if not usual or not shares:
            continue
        changes: dict[Kind, list[tuple[float, str]]] = defaultdict(list)
        for template in sorted({*shares, *(name for window in usual for name in window)}):
            now = shares.get(template, 0.0)
            before = sorted(window.get(template, 0.0) for window in usual)
            kind = Kind.error_log if _ERROR.search(template[:500]) else Kind.log
            size = _change(now, before, after.most(node))
            if size and not (kind is Kind.error_log and now < quantile(before, 0.5)):
                changes[kind].append((size, _says(template, now, quantile(before, 0.5))))
        found += [_fact(node, kind, sizes) for kind, sizes in sorted(changes.items())]
    return found


def _change(now: float, before: list[float], occasions: int) -> float:
    """The change of a share, times the root of how certain it is; 0 if it may be chance."""
    middle = quantile(before, 0.5)
    between = 1.4826 * quantile(sorted(abs(share - middle) for share in before), 0.5)
    chance = max(middle * (1 - middle), 1 / occasions) / occasions
    error = math.sqrt(between**2 + chance + UNSEEN**2 / len(before))
    certain = abs(now - middle) / error
    return abs(now - middle) * math.sqrt(min(certain, CERTAIN)) if certain >= BELIEVABLE else 0.0


def _fact(node: str, kind: Kind, sizes: Iterable[tuple[float, str]]) -> Evidence:
    found = list(sizes)
    return Evidence(node, kind, math.sqrt(math.fsum(size**2 for size, _ in found)), max(found)[1])


def _says(template: str, now: float, before: float) -> str:
    verb = "appeared" if before == 0 else "vanished" if now == 0 else "changed"
    return f"log template {verb} ({before:.0%} to {now:.0%} of its busiest): {template[:160]}"
