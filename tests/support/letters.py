"""Incidents to be told, and what is told of them."""

import random
import weakref
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dogwatch.deliver import Broken, Post, Sent
from dogwatch.errors import ChannelError
from dogwatch.model import (
    Affected,
    Cause,
    CauseClass,
    Confidence,
    Consent,
    Deadline,
    Delivery,
    Evidence,
    EvidenceKind,
    Fields,
    Harm,
    Incident,
    IncidentState,
    Items,
    Message,
    Occasion,
    Quote,
    Severity,
    Steps,
    Text,
)
from dogwatch.notify.base import AnyChannel, Channel, ChannelSettings, Earlier
from dogwatch.notify.decide import KIND, Decision, decide
from dogwatch.notify.routing import Plan
from dogwatch.report.message import brief
from dogwatch.store import Store, StoreThread, open_store
from dogwatch.wire.clock import Clock
from dogwatch.wire.http import Doors
from dogwatch.wire.secrets import Secrets
from support.clock import NOON, JumpingClock

BERLIN = ZoneInfo("Europe/Berlin")

RUN = Evidence.of(
    EvidenceKind.run,
    source="airbyte jobs.list",
    subject="airbyte/orders",
    content={"native_run_id": "455", "error_message": "permission denied for table orders"},
    at=NOON - timedelta(minutes=26),
    url="https://cloud.airbyte.example/workspaces/1/connections/2",
)
LATER = Evidence.of(
    EvidenceKind.run,
    source="snowflake task_history",
    subject="snowflake/load_orders",
    content={"state": "SKIPPED"},
    at=NOON - timedelta(minutes=20),
)
EVIDENCE = {item.id: item for item in (RUN, LATER)}

CAUSE = Cause(
    claim="the credential of Orders PG lost its right to read the table orders",
    cause_class=CauseClass.auth_permission,
    subject="airbyte/orders",
    confidence=Confidence.likely,
    cites=(RUN.id,),
    phrase="permission denied",
    settle="a successful read of the table with that user",
)


def incident(number: int = 7, **changes: Any) -> Incident:
    """What broke at 12:34 in Berlin and is looked at at 13:00."""
    values: dict[str, Any] = {
        "number": number,
        "key": f"key-{number}",
        "state": IncidentState.open,
        "severity": Severity.ERROR,
        "title": "Airbyte cannot read Orders PG: permission denied for table orders",
        "culprit": "airbyte/orders",
        "culprit_name": "Orders PG → RAW",
        "findings": (f"finding-{number}",),
        "causes": (CAUSE,),
        "affected": (
            Affected(
                subject="snowflake/load_orders", name="load_orders", harm=Harm.skipped, cites=(LATER.id,)
            ),
            Affected(subject="databricks/daily_sales", name="daily_sales", harm=Harm.threatened),
        ),
        "deadlines": (Deadline(pipeline="Sales", due=NOON + timedelta(hours=1), missed=False),),
        "pipelines": ("Sales",),
        "owners": ("data-eng@shop.example",),
        "opened_at": NOON - timedelta(minutes=20),
        "began_at": NOON - timedelta(minutes=26),
        "updated_at": NOON,
        "version": 1,
    }
    return Incident(**{**values, **changes})


def resolved(one: Incident, at: datetime) -> Incident:
    """The same incident, over."""
    return one.model_copy(
        update={"state": IncidentState.resolved, "resolved_at": at, "version": one.version + 1}
    )


def told(one: Incident, occasion: Occasion = Occasion.opened, now: datetime = NOON) -> Message:
    """What is said of it."""
    return brief(one, one.causes, EVIDENCE, occasion, one.pipelines, BERLIN, now)


HOSTILE = (
    "@channel <!here> <!channel> <@U012AB3CD> <#C012AB3CD> <https://evil.example|click> "
    "[click](https://evil.example) *bold* _it_ ~no~ `code` ``` :fire: <b>bold</b> "
    "<script>alert(1)</script> &lt;b&gt; https://evil.example www.evil.example evil@evil.example "
    "\x00\x07\x1b[31m\u202eesrever\u200b\u2066 {0} %s $title ${x} \r\nBcc: all@shop.example\r\n.\r\n"
)


def every_block(text: str = HOSTILE) -> Message:
    """A message with one of each block, all of them full of what a platform may say."""
    return Message(
        key="INC-7/opened/0@slack",
        thread="INC-7",
        occasion=Occasion.opened,
        title=f"INC-7 ERROR {text}",
        severity=Severity.ERROR,
        blocks=(
            Text(text=text),
            Fields(fields=(("cause", text), (text, "value"))),
            Quote(
                evidence=RUN.id, source=text, text=f"{text}\n{text}", at=NOON, url="https://ok.example/run/1"
            ),
            Quote(evidence="x", source="s", text=text, url="javascript:alert(1)"),
            Items(title=text, items=(text, "plain")),
            Consent(action="0123456789-1", digest="0123456789abcdef", label=text, why=text),
            Steps(
                steps=((text, "dogwatch incident show INC-7"), (text, text), ("open", "https://ok.example"))
            ),
        ),
        at=NOON,
        timezone="Europe/Berlin",
    )


# ── a desk: decisions, the outbox, and channels that are functions of the test ──────────────────────────────


class Pigeon(Channel[ChannelSettings]):
    """A channel that remembers what it was given, and fails as it is told to."""

    Settings = ChannelSettings
    title = "Pigeon"

    def __init__(self, name: str, *failures: ChannelError | None, doors: Doors | None = None) -> None:
        super().__init__(name, ChannelSettings(), doors or Doors(clock=JumpingClock()))
        self.failures = list(failures)
        self.got: list[tuple[Message, Earlier]] = []

    async def send(self, message: Message, earlier: Earlier) -> str:
        """Take it, or fail with the next failure in line."""
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        self.got.append((message, earlier))
        return f"{self.name} {len(self.got)}"

    @property
    def titles(self) -> list[str]:
        """What was told here."""
        return [message.title for message, _ in self.got]


class Desk:
    """Decides, writes down and delivers, as rounds do."""

    def __init__(self, folder: Path, plan: Plan, clock: Clock | None = None) -> None:
        self.clock = clock or JumpingClock()
        self.store: Store = open_store(folder / "desk.db")
        weakref.finalize(self, self.store.close)
        self.plan = plan

    def round(self, *incidents: Incident) -> Decision:
        """What one round says of these incidents, written down."""
        now = self.clock.now()
        dead = frozenset(name for name, reach in self.store.reaches().items() if reach.dead_since is not None)
        said = decide(
            incidents,
            past=self.store.deliveries(KIND, [one.name for one in incidents]),
            held=self.store.held(KIND),
            recent=self.store.delivered_since(KIND, now - timedelta(hours=1)),
            plan=self.plan.without(dead),
            compose=lambda one, occasion: told(one, occasion, now),
            now=now,
        )
        with self.store._write() as connection:
            self.store._repost(connection, said.changed)
            self.store._post(connection, said.new)
        return said

    async def deliver(self, *channels: AnyChannel | Broken, holder: str = "me") -> Sent:
        """One worker's work."""
        thread = StoreThread()
        named = {one.name: one for one in channels if isinstance(one, Channel)}
        post = Post(
            named,
            self.store,
            thread,
            self.clock,
            plan=self.plan,
            holder=holder,
            secrets=Secrets(),
            rng=random.Random(7),
        )
        try:
            return await post.run()
        finally:
            thread.close()

    def rows(self, destination: str) -> Sequence[Delivery]:
        """Everything decided for a channel."""
        everything = self.store.delivered_since(KIND, datetime.min.replace(tzinfo=NOON.tzinfo))
        return [one for one in everything if one.destination == destination]
