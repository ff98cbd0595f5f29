"""Waits as long as Google says, which its client does not. Needs the extra ``agents``.

The clients of OpenAI and Anthropic wait as a 429's headers say. Google names the time in the body
(google.rpc.RetryInfo, https://ai.google.dev/gemini-api/docs/rate-limits), and google-genai tries again at
times of its own; so it is told not to try again at all, and what it reports is waited for here.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError, ModelQuotaExceededError
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings, merge_model_settings

T = TypeVar("T")
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_LONGEST = 120.0
"""Whoever asks for more seconds is not waited for."""
_ONCE = ModelSettings(max_retries=0)


class Patient(WrapperModel):
    """A model that is asked again when its provider said, ``max_retries`` times."""

    def __init__(self, wrapped: Model, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        super().__init__(wrapped)
        self._sleep = sleep

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Ask, and again while the provider asks for patience."""
        once = merge_model_settings(model_settings, _ONCE)
        return await self._insist(
            model_settings, lambda: self.wrapped.request(messages, once, model_request_parameters)
        )

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """The same, as a stream; one that broke off is not asked for again."""
        once = merge_model_settings(model_settings, _ONCE)
        async with AsyncExitStack() as stack:
            yield await self._insist(
                model_settings,
                lambda: stack.enter_async_context(
                    self.wrapped.request_stream(messages, once, model_request_parameters, run_context)
                ),
            )

    async def _insist(self, settings: ModelSettings | None, ask: Callable[[], Awaitable[T]]) -> T:
        tries = (settings or {}).get("max_retries", 0)
        for turn in range(tries):
            try:
                return await ask()
            except ModelAPIError as error:
                if (seconds := pause(error, turn)) is None:
                    raise
            await self._sleep(seconds)
        return await ask()


def pause(error: ModelAPIError, turn: int) -> float | None:
    """Seconds to wait before the next request: what the provider says, else 1, 2, 4 …; None: give up."""
    if isinstance(error, ModelQuotaExceededError):
        return None  # of a day
    if isinstance(error, ModelHTTPError) and error.status_code not in _PASSING:
        return None
    seconds = float(2**turn) if error.retry_after is None else error.retry_after
    return seconds if seconds <= _LONGEST else None
