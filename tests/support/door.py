"""A door whose other side is a function of the test."""

import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2

from dogwatch.wire.clock import Clock
from dogwatch.wire.http import Doors, Http, Login, Pace
from dogwatch.wire.secrets import Secrets
from support.clock import JumpingClock

BASE = "https://platform.example/api"
FREE = Pace(per_second=0)

Respond = Callable[[httpx2.Request], httpx2.Response | Awaitable[httpx2.Response]]


def doors(respond: Respond, *, clock: Clock | None = None, secrets: Secrets | None = None) -> Doors:
    """Doors that all lead to ``respond``."""

    async def handle(request: httpx2.Request) -> httpx2.Response:
        outcome = respond(request)
        return outcome if isinstance(outcome, httpx2.Response) else await outcome

    return Doors(
        clock=clock or JumpingClock(),
        secrets=secrets or Secrets(),
        transport=httpx2.MockTransport(handle),
        rng=random.Random(7),
    )


def door(
    respond: Respond,
    *,
    login: Login | None = None,
    clock: Clock | None = None,
    secrets: Secrets | None = None,
    pace: Pace = FREE,
    base: str = BASE,
) -> Http:
    """A door that leads to ``respond``."""
    return doors(respond, clock=clock, secrets=secrets).open(base, login=login, pace=pace)


class Script:
    """Answers in the given order, the last one for ever, and remembers the requests."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """The next answer."""
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(
            answer.status_code, headers=answer.headers, content=answer.content, request=request
        )

    @property
    def paths(self) -> list[str]:
        """What was asked for."""
        return [request.url.path for request in self.requests]


def ok(body: Any = None, **headers: str) -> httpx2.Response:
    """200 with JSON."""
    return httpx2.Response(200, json=body if body is not None else {}, headers=_named(headers))


def status(code: int, body: Any = None, **headers: str) -> httpx2.Response:
    """Any status, with a JSON complaint if there is one."""
    if body is None:
        return httpx2.Response(code, headers=_named(headers))
    return httpx2.Response(code, json=body, headers=_named(headers))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {key.replace("_", "-"): value for key, value in headers.items()}


def texts(error: BaseException) -> Iterator[str]:
    """All words in which an exception, and everything it came from, can be shown."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield from (str(link), repr(link), repr(link.args), repr(vars(link)))
        waiting += [link.__cause__, link.__context__]
