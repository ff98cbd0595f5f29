"""What a run of the crew consisted of, as spans: who was asked, which tool, which model, what it cost.

Names, numbers and times only: no prompt, no answer, nothing that a platform said. No framework.
"""

import json
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

from dogwatch.wire.otlp import Span, Value

_MOST = 2_000
_HERE: ContextVar[str] = ContextVar("dogwatch_span", default="")


@dataclass(slots=True)
class Spans:
    """The spans of one run."""

    now: Callable[[], datetime]
    trace: str = field(default_factory=lambda: secrets.token_hex(16))
    """32 hexadecimal digits."""
    all: list[Span] = field(default_factory=list[Span])
    """In the order in which they began."""

    @contextmanager
    def span(self, name: str, kind: str, **attributes: Value) -> Generator[Span]:
        """Something that takes a while; ``kind`` is agent, generation, tool or span. Exceptions pass."""
        about: dict[str, Value] = {
            "langfuse.trace.name": "dogwatch investigate",
            "langfuse.observation.type": kind,
            "openinference.span.kind": _OPENINFERENCE[kind],
            **attributes,
        }
        one = Span(self.trace, secrets.token_hex(8), _HERE.get(), name, self.now(), attributes=about)
        if len(self.all) < _MOST:
            self.all.append(one)
        token = _HERE.set(one.id)
        try:
            yield one
        except BaseException as error:
            one.failed = one.failed or type(error).__name__
            raise
        finally:
            _HERE.reset(token)
            one.ended = self.now()

    @contextmanager
    def run(self, subject: str) -> Generator[Span]:
        """The whole investigation."""
        with self.span(f"investigate {subject}", "span") as one:
            one.attributes["dogwatch.incident"] = subject
            yield one

    @contextmanager
    def agent(self, name: str) -> Generator[Span]:
        """One run of one agent."""
        with self.span(f"invoke_agent {name}", "agent") as one:
            one.attributes |= {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
            yield one

    @contextmanager
    def tool(self, name: str) -> Generator[Span]:
        """One call of a tool."""
        with self.span(f"execute_tool {name}", "tool") as one:
            one.attributes |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
            yield one

    @contextmanager
    def model(self, name: str, provider: str) -> Generator[Span]:
        """One request to a model."""
        with self.span(f"chat {name}", "generation") as one:
            one.outgoing = True
            one.attributes |= {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": provider,
                "gen_ai.request.model": name,
                "llm.model_name": name,
            }
            yield one


_OPENINFERENCE = {"span": "CHAIN", "agent": "AGENT", "tool": "TOOL", "generation": "LLM"}


def paid(span: Span, input_tokens: int, output_tokens: int, usd: float | None) -> None:
    """Put down what a request to a model used; ``usd`` is None if its price is not known."""
    span.attributes |= {
        "gen_ai.usage.input_tokens": input_tokens,
        "gen_ai.usage.output_tokens": output_tokens,
        "llm.token_count.prompt": input_tokens,
        "llm.token_count.completion": output_tokens,
        "llm.token_count.total": input_tokens + output_tokens,
    }
    if usd is not None:
        told = json.dumps({"total": usd})
        span.attributes |= {"langfuse.observation.cost_details": told, "llm.cost.total": usd}
