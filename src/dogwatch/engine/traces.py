"""A round as a trace: how long it took, and each platform or each worker's step within it. Names, numbers
and times only."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime

from dogwatch.model.report import CheckReport
from dogwatch.relay import GIVEN_UP, figures
from dogwatch.round import Step
from dogwatch.store.steps import FOLLOW, READ, Taken
from dogwatch.wire.clock import Clock
from dogwatch.wire.otlp import Span

_OVER = frozenset({"read", "blind"})
_BLIND = "the platform could not be read"
_LAST = 10.0
"""Seconds that the last spans have to be sent when we have to stop."""


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
            read.failed = _BLIND if step.stage == "blind" else ""

    def ended(self, report: CheckReport) -> list[Span]:
        """All spans of a round that came to its end."""
        now: datetime = self._clock.now()
        self._root.ended = now
        self._root.attributes |= {f"dogwatch.{name}": value for name, value in figures(report).items()}
        for one in self._reads.values():
            one.ended = one.ended or now
        return [self._root, *self._reads.values()]


class StepTrace:
    """One step of a round that a team makes; who does the last one tells of the whole round."""

    def __init__(self, worker: str, clock: Clock) -> None:
        self._worker, self._clock, self._began = worker, clock, clock.now()
        self._taken: Taken | None = None

    def heard(self, taken: Taken) -> None:
        """It is ours."""
        self._taken = taken

    def ended(self, outcome: str) -> list[Span]:
        """Its span, and after the last step that of the round; nothing if it was not ours, or belongs to no
        trace. ``outcome`` is empty if it failed."""
        if self._taken is None or not self._taken.plan.trace:
            return []
        (number, kind, about), facts = self._taken.key, self._taken.facts
        _, trace, root, _ = self._taken.plan.trace.split("-")
        now = self._clock.now()
        span = Span(trace, secrets.token_hex(8), root, f"{kind} {about}".strip(), self._began, now)
        span.outgoing = kind == READ
        span.attributes |= {"dogwatch.worker": self._worker, "dogwatch.tries": self._taken.tries}
        span.attributes |= {f"dogwatch.{name}": value for name, value in facts.items() if name != "blind"}
        span.failed = _BLIND if facts.get("blind") else ""
        if outcome in ("", GIVEN_UP):
            span.failed = outcome or "it failed, or somebody took it over"
        if kind != FOLLOW or not outcome:
            return [span]
        return [span, self._whole(self._taken, trace, root, number, now)]

    def _whole(self, taken: Taken, trace: str, root: str, number: int, now: datetime) -> Span:
        plan, told = taken.plan, taken.before.get("")
        whole = Span(trace, root, "", "round", plan.now, now)
        scope = "all" if plan.asked is None else ",".join(sorted(plan.asked))
        whole.attributes |= {"dogwatch.scope": scope, "dogwatch.round": number}
        counted = told.get("figures") if isinstance(told, dict) else None
        for name, value in (counted if isinstance(counted, dict) else {}).items():
            if isinstance(value, int):
                whole.attributes[f"dogwatch.{name}"] = value
        return whole


class Traces:
    """Spans on their way out, beside everything else: who takes them may be slow, or gone."""

    def __init__(self, send: Callable[[Sequence[Span]], Awaitable[None]]) -> None:
        self._send = send
        self._waiting: list[Span] = []
        self._sending: asyncio.Task[None] | None = None

    def add(self, spans: Sequence[Span]) -> None:
        """To be sent with the next ones."""
        self._waiting += spans

    def go(self) -> None:
        """Send what waits, if nothing is being sent."""
        if self._waiting and (self._sending is None or self._sending.done()):
            spans, self._waiting = self._waiting, []
            self._sending = asyncio.create_task(self._sent(spans))

    async def _sent(self, spans: Sequence[Span]) -> None:
        await self._send(spans)

    async def end(self) -> None:
        """Send the rest, if that does not take long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST):
                while self._waiting or (self._sending is not None and not self._sending.done()):
                    self.go()
                    if self._sending is not None:
                        await self._sending
