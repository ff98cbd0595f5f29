"""What is told now: of every incident and every channel, what has changed since it was told there last.

Nothing is dropped. What exceeds the alert budget or falls into quiet hours is held, and later told by itself
or gathered into one digest an hour. Values in, values out: the round writes them with the incidents.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from dogwatch.model import (
    NOWHERE,
    Delivery,
    DeliveryState,
    Incident,
    IncidentState,
    Message,
    Occasion,
    Severity,
    content_id,
)
from dogwatch.notify.routing import Plan
from dogwatch.report.message import Line, digest

KIND = "message"
HOUR = timedelta(hours=1)
ALERT, CRITICAL, UPDATE, DIGEST, DAILY = "alert", "critical", "update", "digest", "daily"
"""Tags: what counts against the budget, what against that of CRITICAL, what against none, digests of what was
kept back, and those that are sent at a time of day."""
_UNTOLD = frozenset({DeliveryState.held, DeliveryState.gathered})
_OVER = frozenset({IncidentState.resolved, IncidentState.merged})

Compose = Callable[[Incident, Occasion], Message]


@dataclass(slots=True)
class Decision:
    """What a round decided."""

    new: list[Delivery] = field(default_factory=list[Delivery])
    changed: list[Delivery] = field(default_factory=list[Delivery])
    """Deliveries that were held, as they are now."""

    @property
    def messages(self) -> list[Message]:
        """What is said now, each message once, whoever it goes to."""
        said: dict[str, Message] = {}
        for delivery in (*self.new, *self.changed):
            if delivery.state in (DeliveryState.waiting, DeliveryState.noted):
                message = message_of(delivery)
                said.setdefault(message.key.partition("@")[0], message)
        return list(said.values())


@dataclass(slots=True)
class _Desk:
    """What one channel gets in this round."""

    name: str
    alerts: int
    """Individual alerts it may still get in this hour."""
    criticals: int
    quiet_until: datetime | None
    digested: bool
    """Whether it had its digest of this hour."""
    dead: bool = False
    holding: list[Delivery] = field(default_factory=list[Delivery])
    """Held in this round."""

    @property
    def ready(self) -> DeliveryState:
        """The state of what may go."""
        return DeliveryState.noted if self.name == NOWHERE else DeliveryState.waiting

    def admits(self, severity: Severity) -> bool:
        """Whether an alert may go out by itself now; if so, it is counted."""
        if self.dead:
            return False
        if severity is Severity.CRITICAL:
            self.criticals -= 1
            return self.criticals >= 0
        if self.quiet_until is not None or self.alerts <= 0:
            return False
        self.alerts -= 1
        return True


def decide(
    incidents: Iterable[Incident],
    past: Sequence[Delivery],
    held: Sequence[Delivery],
    recent: Sequence[Delivery],
    plan: Plan,
    compose: Compose,
    now: datetime,
) -> Decision:
    """What is told of these incidents: the live ones, and those that came to rest since the last round.

    ``past`` is all that was ever decided about them, ``held`` what is kept back of any incident, ``recent``
    what was decided within the last hour. ``compose`` makes the message of an occasion.
    """
    known = {incident.name: incident for incident in incidents}
    desks = {name: _desk(name, recent, plan, now) for name in (*plan.channels, NOWHERE)}
    threads: dict[str, list[Delivery]] = {}
    for delivery in past:
        threads.setdefault(delivery.thread, []).append(delivery)
    decision = Decision()
    room = _Room(plan, compose, now, decision, desks)
    for incident in sorted(known.values(), key=lambda one: (-one.severity.rank, one.number)):
        if not incident.muted:
            room.tell(incident, threads.get(incident.name, []))
    for desk in desks.values():
        room.release(desk, [one for one in held if one.destination == desk.name], known)
    return decision


def message_of(delivery: Delivery) -> Message:
    """The message that is delivered."""
    return Message.model_validate(delivery.payload["message"])


def instead_of(delivery: Delivery) -> str:
    """The channel that it was meant for, if it goes to another one; else empty."""
    return str(delivery.payload.get("instead_of") or "")


@dataclass(slots=True)
class _Room:
    plan: Plan
    compose: Compose
    now: datetime
    decision: Decision
    desks: Mapping[str, _Desk]

    def tell(self, incident: Incident, rows: Sequence[Delivery]) -> None:
        """Decide for every channel that this incident concerns."""
        for desk, instead in self._concerned(incident, rows):
            own = [row for row in rows if (instead or desk.name) in (row.destination, instead_of(row))]
            occasion = _occasion(incident, own)
            if occasion is not None:
                self._say(desk, incident, occasion, own, instead)
        for name in self._escalated(incident, rows):
            key = f"{incident.name}/{Occasion.escalated.value}/{incident.reopened}@{name}"
            if all(row.key != key for row in rows):
                self._say(self.desks[name], incident, Occasion.escalated, (), "")

    def _concerned(self, incident: Incident, rows: Sequence[Delivery]) -> list[tuple[_Desk, str]]:
        """Desks that are to hear of it, each with the channel that it stands in for."""
        names = self.plan.targets(incident)
        told = {instead_of(row) or row.destination for row in rows if row.state not in _UNTOLD}
        names += [name for name in self.plan.channels if name in told and name not in names]
        if not names and incident.severity.rank >= Severity.WARNING.rank:
            return [(self.desks[NOWHERE], "")]
        found: list[tuple[_Desk, str]] = []
        for name in names:
            other = self.plan.instead_of(name) if name in self.plan.dead else None
            if other is None:
                found.append((self.desks[name], ""))
            elif other not in names:
                found.append((self.desks[other], name))
        return found

    def _escalated(self, incident: Incident, rows: Sequence[Delivery]) -> list[str]:
        """Channels that hear of it because nobody has taken it on."""
        if incident.state is not IncidentState.open:
            return []
        told = [
            row.created_at
            for row in rows
            if _reopened(row) == incident.reopened and row.state is not DeliveryState.held
        ]
        if not told:
            return []
        due = [
            rule
            for rule in self.plan.escalations
            if incident.severity.rank >= rule.severity.rank and self.now - min(told) >= rule.after
        ]
        names = dict.fromkeys(name for rule in due for name in rule.to if name in self.desks)
        return [self.plan.instead_of(name) or name if name in self.plan.dead else name for name in names]

    def _say(
        self, desk: _Desk, incident: Incident, occasion: Occasion, own: Sequence[Delivery], instead: str
    ) -> None:
        alone = any(row.state not in _UNTOLD for row in own)
        loud = occasion in (Occasion.opened, Occasion.reopened, Occasion.escalated) or _worse(incident, own)
        if loud:
            tag = CRITICAL if incident.severity is Severity.CRITICAL else ALERT
            goes, when = desk.admits(incident.severity), self.now
        elif occasion is Occasion.resolved:
            tag, goes, when = UPDATE, alone and not desk.dead, self._gently(desk, incident)
        else:  # a small change: only where it disturbs nobody, and where there is something to change
            if desk.name not in self.plan.in_place or not alone:
                return
            tag, goes, when = UPDATE, not desk.dead, self.now
        delivery = self._delivery(desk, incident, occasion, tag, when, instead)
        if goes:
            self.decision.new.append(delivery)
        else:
            desk.holding.append(delivery.model_copy(update={"state": DeliveryState.held}))

    def _gently(self, desk: _Desk, incident: Incident) -> datetime:
        """When good news may be told: at once, but in quiet hours only to those who were woken."""
        if incident.severity is Severity.CRITICAL or desk.name in self.plan.in_place:
            return self.now
        return desk.quiet_until or self.now

    def _delivery(
        self,
        desk: _Desk,
        incident: Incident,
        occasion: Occasion,
        tag: str,
        when: datetime,
        instead: str,
    ) -> Delivery:
        message = self.compose(incident, occasion)
        key = f"{message.key}@{desk.name}" + (f" for {instead}" if instead else "")
        payload: dict[str, Any] = {
            "message": message.model_copy(update={"key": key}).model_dump(mode="json"),
            "line": _line_row(incident),
            **({"instead_of": instead} if instead else {}),
        }
        return Delivery(
            kind=KIND,
            destination=desk.name,
            key=key,
            thread=incident.name,
            tag=tag,
            mark=mark(incident),
            payload=payload,
            state=desk.ready,
            next_at=when,
            created_at=self.now,
            finished_at=self.now if desk.ready is DeliveryState.noted else None,
        )

    def release(self, desk: _Desk, held: Sequence[Delivery], known: Mapping[str, Incident]) -> None:
        """Tell what was held back, by itself as far as the budget goes, else in one digest."""
        self.decision.new += desk.holding
        if desk.dead:
            return
        quiet = desk.quiet_until is not None
        waiting: dict[str, list[Delivery]] = {}
        for one in (*held, *desk.holding):
            if not quiet or one.tag == CRITICAL:
                waiting.setdefault(one.thread, []).append(one)
        for thread, rows in sorted(waiting.items(), key=lambda item: _urgency(item[1])):
            incident = known.get(thread)
            last = rows[-1]
            if last.id and incident is not None and incident.state.live and desk.admits(incident.severity):
                self._alone(desk, incident, rows)
                del waiting[thread]
        if waiting and not desk.digested:
            self._digest(desk, [row for rows in waiting.values() for row in rows])

    def _alone(self, desk: _Desk, incident: Incident, rows: Sequence[Delivery]) -> None:
        """What was held is told by itself, as things stand now."""
        *earlier, last = rows
        tag = CRITICAL if incident.severity is Severity.CRITICAL else ALERT
        fresh = self._delivery(desk, incident, Occasion.opened, tag, self.now, instead_of(last))
        kept = {"id": last.id, "key": last.key}
        message = message_of(fresh).model_copy(update={"key": last.key})
        payload = {**fresh.payload, "message": message.model_dump(mode="json")}
        self._settle(last, fresh.model_copy(update={**kept, "payload": payload}))
        for row in earlier:
            self._settle(row, row.model_copy(update={"state": DeliveryState.gathered}))

    def _digest(self, desk: _Desk, rows: Sequence[Delivery]) -> None:
        key = f"digest/{self.now:%Y%m%dT%H%M%SZ}@{desk.name}"
        lines = {line.number: line for line in map(_line, rows)}
        message = digest(list(lines.values()), self._why(desk, rows), key, self.plan.zone, self.now)
        for row in rows:
            into = {"state": DeliveryState.gathered, "landed": key, "finished_at": self.now}
            self._settle(row, row.model_copy(update=into))
        self.decision.new.append(
            Delivery(
                kind=KIND,
                destination=desk.name,
                key=key,
                thread=key,
                tag=DIGEST,
                payload={"message": message.model_dump(mode="json")},
                state=desk.ready,
                next_at=self.now,
                created_at=self.now,
                finished_at=self.now if desk.ready is DeliveryState.noted else None,
            )
        )

    def _why(self, desk: _Desk, rows: Sequence[Delivery]) -> str:
        if desk.alerts > 0 and desk.criticals > 0:
            return "These were kept back while it was quiet here, or while nothing could be told here."
        return (
            f"At most {self.plan.alerts_an_hour} new incidents an hour are told one by one here"
            f" ({self.plan.critical_an_hour} more if CRITICAL). These came on top of that."
        )

    def _settle(self, row: Delivery, becomes: Delivery) -> None:
        """A held delivery becomes something else, whether it was held in this round or before."""
        if row.id:
            self.decision.changed.append(becomes)
        else:
            at = next(at for at, one in enumerate(self.decision.new) if one.key == row.key)
            self.decision.new[at] = becomes


def _desk(name: str, recent: Sequence[Delivery], plan: Plan, now: datetime) -> _Desk:
    mine = [
        one
        for one in recent
        if one.destination == name and one.created_at > now - HOUR and one.state not in _UNTOLD
    ]
    return _Desk(
        name,
        alerts=plan.alerts_an_hour - sum(one.tag == ALERT for one in mine),
        criticals=plan.critical_an_hour - sum(one.tag == CRITICAL for one in mine),
        quiet_until=None if name == NOWHERE else plan.quiet_until(name, now),
        digested=any(one.tag == DIGEST for one in mine),
        dead=name in plan.dead,
    )


def mark(incident: Incident) -> str:
    """What of an incident is told: its state, severity and round of life, and what the message shows."""
    shown = [
        incident.title,
        [[cause.claim, cause.confidence.value] for cause in incident.causes[:1]],
        [[hit.subject, hit.harm.value] for hit in incident.affected],
        [[due.pipeline, due.missed] for due in incident.deadlines],
    ]
    digest_of = content_id(cast("list[Any]", shown))
    return f"{incident.state.value}/{incident.severity.value}/{incident.reopened}/{digest_of}"


def _occasion(incident: Incident, own: Sequence[Delivery]) -> Occasion | None:
    """What there is to tell those who were told ``own``; None if they know it all."""
    if not own:
        return Occasion.opened if incident.state.live else None
    state = own[-1].mark.partition("/")[0]
    was_over = state in {one.value for one in _OVER}
    if incident.state in _OVER:
        return None if was_over else Occasion.resolved
    if was_over or incident.reopened > _reopened(own[-1]):
        return Occasion.reopened
    return Occasion.changed if own[-1].mark != mark(incident) else None


def _worse(incident: Incident, own: Sequence[Delivery]) -> bool:
    """Whether a live incident is so much worse than this channel was told that it has to be told again: what
    was a note is one no more, or it is CRITICAL now. Who heard a WARNING knows that something is wrong; an
    ERROR of the same thing is no second message, except to channels that had not heard of it."""
    told = [Severity(row.mark.split("/")[1]).rank for row in own if _reopened(row) == incident.reopened]
    before, rank = max(told, default=0), incident.severity.rank
    return incident.state.live and rank > before and (before == 0 or incident.severity is Severity.CRITICAL)


def _reopened(row: Delivery) -> int:
    return int(row.mark.split("/")[2])


def _urgency(rows: Sequence[Delivery]) -> tuple[int, int]:
    line = _line(rows[-1])
    return -line.severity.rank, line.number


def _line_row(incident: Incident) -> dict[str, Any]:
    return {
        "number": incident.number,
        "severity": incident.severity.value,
        "title": incident.title,
        "culprit": incident.culprit,
        "over": incident.state in _OVER,
    }


def _line(row: Delivery) -> Line:
    told = cast("dict[str, Any]", row.payload["line"])
    return Line(told["number"], Severity(told["severity"]), told["title"], told["culprit"], told["over"])
