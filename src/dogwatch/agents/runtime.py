"""The runtime on Pydantic AI: it lets a model answer a task, and lets nothing through that a session refuses.

Needs the extra ``agents``. Limits, scope, checks and the record are the session's; here they are bound to the
framework: every request of a model is metered, every tool is the session's, every answer is checked and sent
back at most twice.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import pydantic_ai
from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, RunContext, Tool, ToolOutput, capture_run_messages
from pydantic_ai.agent import EventStreamHandler
from pydantic_ai.exceptions import (
    AgentRunError,
    FallbackExceptionGroup,
    ModelAPIError,
    ModelHTTPError,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UserError,
)
from pydantic_ai.messages import (
    AgentStreamEvent,
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    PartDeltaEvent,
    PartStartEvent,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RunUsage, UsageLimits

from dogwatch.agents.grounding import SEND_BACKS
from dogwatch.agents.session import Outcome, Session, Spec, Spent, Task, instructions
from dogwatch.agents.spans import paid
from dogwatch.model.text import one_line
from dogwatch.wire.otlp import Span

pydantic_ai.BANNER_ENABLED = False  # it would stand in the midst of an answer, on a terminal
T = TypeVar("T", bound=BaseModel)
ANSWER = "answer"
"""The tool by which an agent hands in its answer."""
_AT_ONCE = 16
"""Calls of tools in one answer of a model."""
_LARGEST = 60_000
"""Characters of one answer of a model."""
_PROVIDER_TRIES = 3


@dataclass(init=False)
class Meter(WrapperModel):
    """A model whose every answer is paid for, counted and looked at before anything becomes of it."""

    def __init__(
        self,
        wrapped: Model,
        session: Session,
        task: Task[Any],
        tools: frozenset[str],
        price: Callable[[ModelResponse], float | None],
    ) -> None:
        super().__init__(wrapped)
        self.session = session
        self.task = task
        self.tools = tools
        self.price = price
        self.iterations = 0

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Ask, if anything is left to pay with."""
        await self._before()
        with self.session.spans.model(self.model_name, self.system) as span:
            response = await super().request(messages, model_settings, model_request_parameters)
            self._pay(span, response)
        await self._look(response)
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """The same, as a stream."""
        await self._before()
        with self.session.spans.model(self.model_name, self.system) as span:
            async with super().request_stream(
                messages, model_settings, model_request_parameters, run_context
            ) as stream:
                try:
                    yield stream
                finally:  # one that broke off or was stopped costs what it cost
                    self._pay(span, stream.get())
        await self._look(stream.get())

    def _pay(self, span: Span, response: ModelResponse) -> None:
        usage, price = response.usage, self.price(response)
        paid(span, usage.input_tokens, usage.output_tokens, price)
        self.session.purse.charge(usage.input_tokens, usage.output_tokens, price)

    async def _before(self) -> None:
        name, limit = self.task.agent.name, self.task.agent.limits.iterations
        if self.iterations >= limit:
            await self.session.tried(name, "too_many_requests", "iterations", f"more than {limit}")
            raise Spent(f"{name} used up its {limit} iterations")
        self.session.purse.check()
        self.iterations += 1

    async def _look(self, response: ModelResponse) -> None:
        name = self.task.agent.name
        await too_large(sum(_size(part) for part in response.parts), name, self.session)
        calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
        if not calls:
            await self.session.tried(name, "bad_form", "answer", "words instead of the form")
        if len(calls) > _AT_ONCE:
            await self.session.tried(
                name, "too_many_calls", "answer", f"{len(calls):,} calls of tools at once"
            )
            raise Spent(f"{name} called {len(calls):,} tools at once")
        for call in calls:
            if call.tool_name not in self.tools:
                await self.session.tried(name, "unknown_tool", call.tool_name, "there is no such tool")


@dataclass
class PydanticRuntime:
    """Runs tasks on Pydantic AI. ``model_for``: an agent's name and its file's own model -> a model."""

    model_for: Callable[[str, str], Model]
    price: Callable[[ModelResponse], float | None] = lambda response: known_price(response)
    headroom: dict[str, float] = field(default_factory=dict[str, float])
    stream: bool = False
    """Whether models are asked for streams."""

    async def run(self, task: Task[T], session: Session) -> Outcome[T]:
        """One run of one agent, to its end or to the end of a budget."""
        with session.spans.agent(task.agent.name) as span:
            outcome = await self._run(task, session)
            span.failed = outcome.stopped
            return outcome

    async def _run(self, task: Task[T], session: Session) -> Outcome[T]:
        specs = session.specs(task.agent, task.depth)
        last: list[T] = []
        outcome: Outcome[T] = Outcome()
        with capture_run_messages() as messages:
            try:
                agent = self._agent(task, specs, session, last)
                names = frozenset((ANSWER, *(spec.name for spec in specs)))
                model = self.model_for(task.agent.name, task.agent.model)
                done = await agent.run(
                    task.prompt,
                    model=Meter(model, session, task, names, self.price),
                    usage=session.shared.setdefault("usage", RunUsage()),
                    usage_limits=UsageLimits(request_limit=None, tool_calls_limit=session.purse.tool_calls),
                    model_settings=ModelSettings(
                        max_tokens=task.agent.limits.output_tokens, max_retries=_PROVIDER_TRIES
                    ),
                    event_stream_handler=_listener(task, session) if self.stream or task.heard else None,
                )
                outcome.output = done.output
            except (Spent, AgentRunError, FallbackExceptionGroup, UserError) as error:
                outcome = _stopped(error)
        await _record(messages, task.agent.name, session)
        if outcome.output is None and outcome.stopped:
            await session.tried(task.agent.name, "no_answer", "run", outcome.stopped)
            if last:  # of the right form, though it was sent back: what stands in it counts
                outcome.output = last[-1]
        return outcome

    def _agent(self, task: Task[T], specs: list[Spec], session: Session, last: list[T]) -> Agent[None, T]:
        agent: Agent[None, T] = Agent(
            output_type=ToolOutput(task.output, name=ANSWER, description="Hand in your answer."),
            instructions=instructions(task.agent, session.subject),
            deps_type=type(None),
            name=task.agent.name,
            retries={"tools": SEND_BACKS, "output": SEND_BACKS},
            tools=[_tool(spec) for spec in specs],
            end_strategy="early",
        )

        @agent.output_validator
        async def check(ctx: RunContext[None], output: T) -> T:  # pyright: ignore[reportUnusedFunction]  # the decorator keeps it
            last.append(output)
            found = task.check(output)
            if not found or ctx.retry >= SEND_BACKS:
                return output
            said = "; ".join(f"{one.what}: {one.why}" for one in found[:8])
            for one in found:
                await session.tried(task.agent.name, one.kind, one.what, one.why)
            await session.say("grounding", task.agent.name, "objection", said)
            raise ModelRetry(f"This does not stand. Mend it or leave it out: {said}")

        return agent


def _tool(spec: Spec) -> Tool[None]:
    async def answer(**args: Any) -> str:
        return await spec.call(args)

    return Tool.from_schema(answer, spec.name, spec.description, dict(spec.schema))


def _size(part: ModelResponsePart) -> int:
    """Characters of one part of an answer."""
    return len(str(getattr(part, "content", "") or getattr(part, "args", "")))


async def too_large(size: int, agent: str, session: Session) -> None:
    """Raises Spent if an answer has more characters than anybody reads."""
    if size > _LARGEST:
        await session.tried(agent, "too_large", "answer", f"{size:,} characters")
        raise Spent(f"{agent} wrote {size:,} characters at once")


def _listener(task: Task[Any], session: Session) -> EventStreamHandler[None]:
    """Lets ``task.heard`` hear the answer while it is written, and ends what is written without end."""

    writes = "writes"

    async def listen(ctx: RunContext[None], events: AsyncIterable[AgentStreamEvent]) -> None:
        nonlocal writes
        parts: dict[int, ModelResponsePart] = {}
        written = 0
        async for event in events:
            if isinstance(event, PartStartEvent):
                parts[event.index] = event.part
                written += _size(event.part)
                if _is_answer(event.part):
                    session.progress(f"{task.agent.name}: {writes}")
                    writes = "writes again, what did not stand went back"
            elif isinstance(event, PartDeltaEvent) and event.index in parts:
                piece = str(
                    getattr(event.delta, "content_delta", "") or getattr(event.delta, "args_delta", "")
                )
                written += len(piece)
                parts[event.index] = event.delta.apply(parts[event.index])
                if "}" not in piece:
                    continue
            else:
                continue
            await too_large(written, task.agent.name, session)
            part = parts[event.index]
            if task.heard is not None and isinstance(part, ToolCallPart) and _is_answer(part):
                task.heard(part.args if isinstance(part.args, str) else json.dumps(part.args))

    return listen


def _is_answer(part: ModelResponsePart) -> bool:
    return isinstance(part, ToolCallPart) and part.tool_name == ANSWER


def _stopped(error: BaseException) -> Outcome[Any]:
    """What an error means for the run. Nothing that a provider said is taken over but its status."""
    if isinstance(error, Spent):
        return Outcome(stopped=str(error))
    if isinstance(error, UsageLimitExceeded):
        return Outcome(stopped="the budget of calls is used up")
    if isinstance(error, FallbackExceptionGroup):
        return Outcome(stopped="neither the model nor its fallback answered", unavailable=True)
    if isinstance(error, ModelHTTPError):
        return Outcome(stopped=f"the model's provider answered {error.status_code}", unavailable=True)
    if isinstance(error, ModelAPIError):
        return Outcome(stopped="the model's provider did not answer", unavailable=True)
    if isinstance(error, UnexpectedModelBehavior):
        return Outcome(stopped="the model gave no answer of the right form")
    return Outcome(stopped=f"the run ended early ({type(error).__name__})")


async def _record(messages: list[ModelMessage], agent: str, session: Session) -> None:
    """Answers that went back because they do not fit the form."""
    for message in messages:
        for part in message.parts:
            if not isinstance(part, ToolReturnPart) or part.tool_name != ANSWER:
                continue
            said: object = part.content
            if isinstance(said, list) and said:
                first = cast("list[Mapping[str, Any]]", said)[0]
                where = ".".join(str(step) for step in first.get("loc", ())) or "answer"
                await session.tried(agent, "bad_form", where, one_line(str(first.get("msg"))))


def known_price(
    response: ModelResponse, usd_in: float | None = None, usd_out: float | None = None
) -> float | None:
    """US dollars of one answer: by the vendor's price list, else by the settings; None if by neither."""
    try:
        return float(response.cost().total_price)
    except (LookupError, ValueError, AssertionError):
        if usd_in is None and usd_out is None:
            return None
    usage = response.usage
    return (usage.input_tokens * (usd_in or 0.0) + usage.output_tokens * (usd_out or 0.0)) / 1_000_000
