"""A round as a trace: how long it took, and each platform within it. Names, numbers and times only."""

import secrets
from datetime import datetime

from dogwatch.model.report import CheckReport
from dogwatch.round import Step
from dogwatch.wire.clock import Clock
from dogwatch.wire.otlp import Span

_OVER = frozenset({"read", "blind"})


class RoundTrace:
    """Hears the progress of one round."""

    def __init__(self, clock: Clock, scope: str) -> None:
        """``scope``: ``all``, or the connectors that are asked."""
        self._clock = clock
        self._root = Span(secrets.token_hex(16), secrets.token_hex(8), "", "round", clock.now())
        self._root.attributes["dogwatch.scope"] = scope
        self._reads: dict[str, Span] = {}

    def __call__(self, step: Step) -> None:
        """One platform came a step further."""
        now = self._clock.now()
        if step.stage == "waiting":  # for another round
            return
        read = self._reads.get(step.instance)
        if read is None:
            read = Span(self._root.trace, secrets.token_hex(8), self._root.id, f"read {step.instance}", now)
            read.outgoing = True
            self._reads[step.instance] = read
        if step.stage in _OVER:
            read.ended = now
            read.attributes["dogwatch.runs"] = step.runs
            read.failed = "the platform could not be read" if step.stage == "blind" else ""

    def ended(self, report: CheckReport) -> list[Span]:
        """All spans of a round that came to its end."""
        now: datetime = self._clock.now()
        self._root.ended = now
        self._root.attributes |= {
            "dogwatch.exit_code": report.exit_code,
            "dogwatch.incidents": len(report.wrong),
            "dogwatch.blind": len(report.blind),
            "dogwatch.findings": len(report.findings),
            "dogwatch.messages": len(report.messages),
        }
        for one in self._reads.values():
            one.ended = one.ended or now
        return [self._root, *self._reads.values()]
