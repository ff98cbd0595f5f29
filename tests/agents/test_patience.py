"""Google's limits are waited for as its answers say, and not for ever."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx2
import pytest
from google.genai.types import GenerateContentResponse
from pydantic import SecretStr
from pydantic_ai import models
from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings

from dogwatch.agents.models import Choice, build
from dogwatch.agents.patience import Patient

pytestmark = pytest.mark.slow  # the client of Google takes its time to import

KEY = "AIza-not-a-key-0123456789"
ASKED: list[ModelMessage] = [ModelRequest.user_text_prompt("how are you?")]
WELL = {
    "candidates": [
        {"content": {"parts": [{"text": "well"}], "role": "model"}, "finishReason": "STOP", "index": 0}
    ],
    "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1, "totalTokenCount": 5},
    "modelVersion": "gemini-2.5-pro",
}
RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
QUOTA_FAILURE = "type.googleapis.com/google.rpc.QuotaFailure"
DAILY = {
    "@type": QUOTA_FAILURE,
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "50"}],
}


@pytest.fixture(autouse=True)
def answers_of_our_own() -> Iterator[None]:
    models.ALLOW_MODEL_REQUESTS = True
    yield
    models.ALLOW_MODEL_REQUESTS = False


def refused(status: int, word: str, *details: Mapping[str, Any]) -> httpx2.Response:
    """An error as Google's APIs word it (https://google.aip.dev/193)."""
    error = {"code": status, "message": "not now", "status": word, "details": list(details)}
    return httpx2.Response(status, json={"error": error})


def later(delay: str) -> httpx2.Response:
    return refused(429, "RESOURCE_EXHAUSTED", {"@type": RETRY_INFO, "retryDelay": delay})


def well() -> httpx2.Response:
    GenerateContentResponse.model_validate(WELL)  # what the vendor's own types take
    return httpx2.Response(200, json=WELL)


def well_in_pieces() -> httpx2.Response:
    headers = {"content-type": "text/event-stream"}
    return httpx2.Response(200, headers=headers, text=f"data: {json.dumps(WELL)}\r\n\r\n")


class Provider:
    """Answers one request after the other from a list; keeps what it was asked and what was waited."""

    def __init__(self, answers: Sequence[httpx2.Response]) -> None:
        self._left = list(answers)
        self.asked: list[httpx2.Request] = []
        self.waited: list[float] = []

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        return self._left.pop(0)

    async def _sleep(self, seconds: float) -> None:
        self.waited.append(seconds)

    def _model(self, client: httpx2.AsyncClient) -> Model:
        choice = Choice("google:gemini-2.5-pro", keys={"google": SecretStr(KEY)})
        built = build((choice.model,), choice, client)
        assert isinstance(built, Patient)
        return Patient(built.wrapped, self._sleep)

    def ask(self, *, stream: bool = False, tries: int = 3) -> ModelResponse:
        """One request of a model."""

        async def asked() -> ModelResponse:
            settings, form = ModelSettings(max_retries=tries), ModelRequestParameters()
            transport = httpx2.MockTransport(self._answer)
            async with httpx2.AsyncClient(transport=transport, timeout=60) as client:
                model = self._model(client)
                if not stream:
                    return await model.request(ASKED, settings, form)
                async with model.request_stream(ASKED, settings, form) as pieces:
                    async for _ in pieces:
                        pass
                    return pieces.get()

        return asyncio.run(asked())


def test_the_time_that_google_names_is_waited_for_and_the_key_stands_in_a_header_alone() -> None:
    provider = Provider([later("14s"), later("0.5s"), well()])
    answer = provider.ask()
    assert (answer.text, answer.usage.input_tokens, answer.usage.output_tokens) == ("well", 4, 1)
    assert provider.waited == [14.0, 0.5]
    for request in provider.asked:
        assert request.headers["x-goog-api-key"] == KEY
        assert KEY not in str(request.url)
        assert KEY.encode() not in request.content


def test_a_stream_is_waited_for_as_well() -> None:
    provider = Provider([later("2s"), well_in_pieces()])
    assert provider.ask(stream=True).text == "well"
    assert provider.waited == [2.0]


@pytest.mark.parametrize(
    ("answers", "waited"),
    [
        pytest.param([refused(503, "UNAVAILABLE")] * 4, [1.0, 2.0, 4.0], id="no time is named"),
        pytest.param([later("3600s")], [], id="too long"),
        pytest.param([refused(429, "RESOURCE_EXHAUSTED", DAILY)], [], id="the day's quota"),
        pytest.param([refused(400, "INVALID_ARGUMENT")], [], id="our own fault"),
        pytest.param([later("1s"), refused(403, "PERMISSION_DENIED")], [1.0], id="then refused"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_does_not_pass_is_given_up(
    answers: list[httpx2.Response], waited: list[float], stream: bool
) -> None:
    provider = Provider(answers)
    with pytest.raises(ModelAPIError):
        provider.ask(stream=stream)
    assert provider.waited == waited
    assert len(provider.asked) == len(answers)
