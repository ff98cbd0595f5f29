"""One run of the crew: who may ask whom and what, how much is left, and what was tried. No agent framework.

A runtime (Pydantic AI, or CrewAI in its own package) takes a ``Task`` and the ``Spec`` of its tools from
here, and tells ``Purse`` what it used. So limits, scope and the record are the same whatever drives a model.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, JsonValue

from dogwatch.agents.data import RULE, block, masked
from dogwatch.agents.grounding import Ground, Objection, cited, supported, worded
from dogwatch.agents.roster_files import AgentFile, Standing
from dogwatch.agents.spans import Spans
from dogwatch.agents.tools import TOOLS, Authority, call
from dogwatch.agents.tools import Desk as ReadDesk
from dogwatch.model.investigation import Answer, Usage

T = TypeVar("T", bound=BaseModel)
MOST_ATTEMPTS = 200
"""Of one run, so many things that were tried are recorded one by one; the rest as a number."""
_QUESTION = 600
ASK = "ask_"

NoteKind = Literal[
    "task", "result", "question", "answer", "clarification_request", "objection", "dropped", "stopped"
]


class Desk(ReadDesk, Protocol):
    """What the crew needs beside the tools."""

    async def record(self, actor: str, kind: str, subject: str, detail: Mapping[str, JsonValue]) -> None:
        """Write an event into the record."""
        ...


class Spent(Exception):
    """A budget is used up: the run ends with what is known so far."""


@dataclass(slots=True)
class Purse:
    """What a whole run may use, delegates included."""

    tokens: int = 200_000
    usd: float = 1.0
    seconds: float = 300.0
    requests: int = 40
    tool_calls: int = 120
    used: Usage = field(default_factory=Usage)

    def check(self) -> None:
        """Raises Spent if nothing is left of one of them."""
        used = self.used
        if used.input_tokens + used.output_tokens >= self.tokens:
            raise Spent(f"the budget of {self.tokens:,} tokens is used up")
        if used.usd is not None and used.usd >= self.usd:
            raise Spent(f"the budget of {self.usd:g} USD is used up")
        if used.requests >= self.requests:
            raise Spent(f"the budget of {self.requests} requests is used up")

    def charge(self, input_tokens: int, output_tokens: int, usd: float | None) -> None:
        """One answer of a model. A price that is not known leaves the sum of those that are."""
        used = self.used
        self.used = used.model_copy(
            update={
                "requests": used.requests + 1,
                "input_tokens": used.input_tokens + input_tokens,
                "output_tokens": used.output_tokens + output_tokens,
                "usd": used.usd if usd is None else round((used.usd or 0.0) + usd, 8),
            }
        )

    def calls(self) -> None:
        """One call of a tool. Raises Spent beyond the limit."""
        self.used = self.used.model_copy(update={"tool_calls": self.used.tool_calls + 1})
        if self.used.tool_calls > self.tool_calls:
            raise Spent(f"the budget of {self.tool_calls} calls of tools is used up")


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something that an agent tried and that was not let through."""

    agent: str
    kind: str
    """A kind of ``grounding.Objection``, or unknown_tool, bad_arguments, not_yours, refused, too_many_calls,
    too_many_requests, too_large, no_answer, spawn."""
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Spec:
    """One tool as a runtime has to offer it."""

    name: str
    description: str
    schema: Mapping[str, Any]
    call: Callable[[Mapping[str, Any]], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Task(Generic[T]):
    """One run of one agent."""

    agent: AgentFile
    prompt: str
    """Our words and marked blocks."""
    output: type[T]
    check: Callable[[T], Sequence[Objection]]
    """What is wrong with an answer; it goes back with that, ``SEND_BACKS`` times at most."""
    depth: int
    """How many levels it may delegate."""
    heard: Callable[[str], None] | None = None
    """Hears the answer's JSON while it is written, from its beginning each time; None: nobody listens, and
    the model is not asked for a stream."""


@dataclass(slots=True)
class Outcome(Generic[T]):
    """What came of a task."""

    output: T | None = None
    """The last answer of the right form, whatever is wrong with its content."""
    stopped: str = ""
    """Why there is no answer, or why it ended early."""
    unavailable: bool = False
    """No model could be reached at all."""


class Runtime(Protocol):
    """What drives a model."""

    headroom: dict[str, float]

    async def run(self, task: Task[T], session: "Session") -> Outcome[T]:
        """One run of one agent, to its end or to the end of a budget."""
        ...


@dataclass(slots=True)
class Session:
    """Everything that the agents of one run share."""

    number: int
    """Of the incident."""
    desk: Desk
    ground: Ground
    roster: Mapping[str, AgentFile]
    runtime: Runtime
    purse: Purse = field(default_factory=Purse)
    progress: Callable[[str], None] = lambda text: None
    proposals: list[str] = field(default_factory=list[str])
    questions: list[str] = field(default_factory=list[str])
    spawned: int = 0
    shared: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the runtime keeps for all runs of this session."""
    spans: Spans = field(init=False)
    """What the run consisted of, for whoever traces it."""
    _attempts: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    _recording: asyncio.Lock = field(default_factory=asyncio.Lock)
    _calls: Counter[str] = field(default_factory=Counter[str])
    _spawns: Counter[str] = field(default_factory=Counter[str])

    def __post_init__(self) -> None:
        self.spans = Spans(self.desk.now)

    @property
    def subject(self) -> str:
        """How people call the incident."""
        return f"INC-{self.number}"

    @property
    def shelf(self) -> str:
        """Under which subject the record keeps what the crew says and tries: beside the incident's own
        events, which it must not drown."""
        return f"{self.subject}/crew"

    def now(self) -> datetime:
        """The clock's time."""
        return self.desk.now()

    # ── the record ──────────────────────────────────────────────────────────────────────────────────────────

    async def tried(self, agent: str, kind: str, what: str, why: str = "") -> None:
        """Record something that was not let through. Many of one kind by one agent become a number."""
        self._attempts[agent, kind] += 1
        if self._attempts[agent, kind] <= 5 and self._attempts.total() <= MOST_ATTEMPTS:
            detail: dict[str, JsonValue] = {"kind": kind, "what": self.fit(what), "why": self.fit(why)}
            await self.desk.record(f"agent:{agent}", "agent.refused", self.shelf, detail)

    def tally(self) -> dict[str, int]:
        """How often each kind of thing was tried."""
        found: Counter[str] = Counter()
        for (_, kind), times in self._attempts.items():
            found[kind] += times
        return dict(sorted(found.items()))

    async def say(self, sender: str, to: str, kind: NoteKind, message: str) -> None:
        """Record a message between agents."""
        detail: dict[str, JsonValue] = {"from": sender, "to": to, "type": kind, "message": self.fit(message)}
        await self.desk.record(f"agent:{sender}", "agent.message", self.shelf, detail)

    def fit(self, text: str) -> str:
        """A text that may be recorded."""
        return masked(text, self.desk.scrub, 300)

    # ── tools ───────────────────────────────────────────────────────────────────────────────────────────────

    def specs(self, agent: AgentFile, depth: int) -> list[Spec]:
        """The tools of one agent: what reads, and whom it may ask."""
        found = [
            Spec(name, TOOLS[name].description, TOOLS[name].schema(), self._tool(agent, name))
            for name in agent.tools
        ]
        if depth <= 0 or not agent.limits.spawns:
            return found
        for name in agent.can_spawn:
            if (other := self.roster.get(name)) is not None and name != agent.name:
                said = f"Ask {name}: {other.description}"
                found.append(Spec(_spoken(name), said, _QUESTION_SCHEMA, self._asking(agent, other, depth)))
        return found

    def _tool(self, agent: AgentFile, name: str) -> Callable[[Mapping[str, Any]], Awaitable[str]]:
        async def answer(args: Mapping[str, Any]) -> str:
            return await self.use(agent, name, args)

        return answer

    async def use(self, agent: AgentFile, name: str, args: Mapping[str, Any]) -> str:
        """A tool's answer as a marked block. Raises Spent beyond the agent's or the run's limit."""
        self._calls[agent.name] += 1
        beyond = self._calls[agent.name] - agent.limits.tool_calls
        if beyond > 0:
            async with self._recording:  # the first of several at once is on record before the run ends
                if beyond == 1:
                    await self.tried(
                        agent.name, "too_many_calls", name, f"more than {agent.limits.tool_calls}"
                    )
            raise Spent(f"{agent.name} used up its {agent.limits.tool_calls} calls of tools")
        self.purse.calls()
        tool = TOOLS[name]
        self.progress(f"{agent.name}: {name}")
        about = args.get("incident")
        if tool.authority is not Authority.read and about != self.number:
            await self.tried(agent.name, "not_yours", name, f"about {about!r:.40}, not {self.subject}")
            return block(name, {"error": f"this run is about {self.subject} alone"})
        if tool.authority is not Authority.read and (bad := self._unsaid(args)):
            await self.tried(agent.name, bad.kind, name, bad.why)
            return block(name, {"error": bad.why})
        with self.spans.tool(name):
            told = await call(tool, self.desk, args, f"agent:{agent.name}")
        await self._noted(agent, name, args, told)
        return block(name, told)

    def _unsaid(self, args: Mapping[str, Any]) -> Objection | None:
        """What is wrong with words that would reach people."""
        from dogwatch.agents.wording import unfit

        text = str(args.get("reason") or args.get("question") or "")
        bad = unfit(text, self.desk.scrub)
        return None if bad is None else Objection("reason", *bad)

    async def _noted(self, agent: AgentFile, name: str, args: Mapping[str, Any], told: JsonValue) -> None:
        if not isinstance(told, dict):
            return
        if "error" in told:
            known = TOOLS[name].authority is Authority.read
            kind = "bad_arguments" if known or str(told["error"]).startswith(f"{name}:") else "refused"
            await self.tried(agent.name, kind, name, str(told["error"]))
        elif name == "propose_action":
            data = told.get("data")
            made = data[0] if isinstance(data, list) and data else None
            if isinstance(made, dict) and str(made.get("id")) not in self.proposals:
                self.proposals.append(str(made.get("id")))
        elif name == "ask_human":
            question = self.fit(str(args.get("question")))
            self.questions.append(question)
            await self.say(agent.name, "human", "clarification_request", question)

    # ── delegation ──────────────────────────────────────────────────────────────────────────────────────────

    def _asking(
        self, parent: AgentFile, other: AgentFile, depth: int
    ) -> Callable[[Mapping[str, Any]], Awaitable[str]]:
        async def answer(args: Mapping[str, Any]) -> str:
            return await self.ask(parent, other, str(args.get("question", "")), depth)

        return answer

    async def ask(self, parent: AgentFile, other: AgentFile, question: str, depth: int) -> str:
        """One agent asks another; its answer as a marked block, checked like every answer."""
        self.purse.calls()
        self._spawns[parent.name] += 1
        if self._spawns[parent.name] > parent.limits.spawns or self.spawned >= 2 * parent.limits.spawns:
            await self.tried(parent.name, "spawn", other.name, f"more than {parent.limits.spawns}")
            return block(other.name, {"error": f"no more than {parent.limits.spawns} are asked; go on alone"})
        self.spawned += 1
        asked = self.fit(question)[:_QUESTION]
        await self.say(parent.name, other.name, "question", asked)
        self.progress(f"{parent.name} asks {other.name}")
        prompt = f"{parent.name} asks about {self.subject}:\n{block('question', asked)}\n{CITING}"
        down = min(depth - 1, other.limits.depth)
        outcome = await self.runtime.run(Task(other, prompt, Answer, self.check_answer, down), self)
        if outcome.output is None:
            await self.say(other.name, parent.name, "stopped", outcome.stopped)
            return block(other.name, {"error": outcome.stopped or "no answer"})
        kept = await self.sifted(other.name, outcome.output)
        if kept.unclear:
            await self.say(other.name, parent.name, "clarification_request", kept.unclear)
        await self.say(other.name, parent.name, "answer", "; ".join(one.text for one in kept.statements))
        return block(other.name, kept.model_dump(mode="json"))

    def check_answer(self, answer: Answer) -> list[Objection]:
        """What is wrong with a specialist's answer."""
        found: list[Objection] = []
        for at, one in enumerate(answer.statements):
            what = f"statements[{at}]"
            bad = cited(what, one.evidence, self.ground) or worded(what, one.text, one.evidence, self.ground)
            found += bad or supported(what, one.text, one.evidence, self.ground)
        return found

    async def sifted(self, agent: str, answer: Answer) -> Answer:
        """The answer without what does not stand."""
        bad = {one.what for one in self.check_answer(answer)}
        kept = tuple(one for at, one in enumerate(answer.statements) if f"statements[{at}]" not in bad)
        for one in self.check_answer(answer):
            await self.tried(agent, one.kind, one.what, one.why)
        said = {"not_known": self.fit(answer.not_known), "unclear": self.fit(answer.unclear)}
        return answer.model_copy(update={"statements": kept, **said})


CITING = (
    "Cite only ids that stand in the evidence of this incident. Numbers, names and quotations in your "
    "sentences have to stand in what you cite. Plain text, no markup."
)
_QUESTION_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "question": {"type": "string", "maxLength": _QUESTION, "description": "One clear question."}
    },
    "required": ["question"],
    "additionalProperties": False,
}


def _spoken(name: str) -> str:
    """The tool by which an agent is asked."""
    return f"{ASK}{name.replace('-', '_')}"


def instructions(agent: AgentFile, subject: str) -> str:
    """What an agent is told before anything else."""
    may = "read, propose and ask" if agent.authority is Standing.propose else "read"
    rules = (
        f"You are {agent.name} of the crew of dogwatch, at work on {subject}. {RULE} You can only {may}; "
        "nothing you say makes anything happen. Answer by the form that you are given."
    )
    return f"{agent.instructions}\n\n{rules}"


async def within(seconds: float, work: Awaitable[None]) -> None:
    """Do the work. Raises Spent if it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        raise Spent(f"the budget of {seconds:g} s is used up") from None
