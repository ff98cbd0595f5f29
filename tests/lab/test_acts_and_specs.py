"""What is asked of Airbyte and GitHub, and what their twins answer, is what their specifications say."""

import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from support.healing import ONE_RUN, Ward

SPECS = Path(__file__).parents[2] / ".." / "shared" / "specs"
AIRBYTE = SPECS / "airbyte" / "airbyte-public-api.openapi.json"
GITHUB = SPECS / "github" / "github-rest-subset.openapi.json"


def read(spec: Path, require_real: bool) -> dict[str, Any]:
    if not spec.exists():
        message = f"the vendor's specification is not here: {spec}"
        pytest.fail(message) if require_real else pytest.skip(message)
    found: dict[str, Any] = json.loads(spec.read_text(encoding="utf-8"))
    return found


class Tapped(httpx2.AsyncBaseTransport):
    """Remembers what is said on the way."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner
        self.said: list[tuple[str, str, Any, Any]] = []
        self.statuses: list[int] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Pass it on."""
        sent = request.content
        response = await self._inner.handle_async_request(request)
        body = await response.aread()
        if request.method in ("POST", "PATCH", "DELETE") and "/graphql" not in request.url.path:
            self.statuses.append(response.status_code)
            answer = json.loads(body) if body.startswith(b"{") else None
            asked = json.loads(sent) if sent.startswith(b"{") else None
            self.said.append((request.method, request.url.path, asked, answer))
        return response


def consented(
    folder: Path, platform: str, fault: str, seen: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> Tapped:
    """What is said when a person agrees to what is proposed about a fault."""
    with Ward(folder, platform, fault) as ward:
        ward.rounds((9, 0), seen, every=10)
        tap = Tapped(ward.lab.transport())
        monkeypatch.setattr(ward.lab, "transport", lambda: tap)
        ward.consent(ward.waiting())
    return tap


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "seen", "method", "path", "asked", "answered"),
    [
        (f"kind: run_fails, {ONE_RUN}", (9, 20), "POST", "/jobs", "JobCreateRequest", "JobResponse"),
        (f"kind: run_hangs, {ONE_RUN}", (9, 30), "DELETE", "/jobs/", None, "JobResponse"),
        (
            "kind: paused, at: 2026-03-04T09:10:00Z",
            (10, 10),
            "PATCH",
            "/connections/",
            "ConnectionPatchRequest",
            "ConnectionResponse",
        ),
    ],
)
def test_airbyte_is_asked_as_its_specification_says(
    tmp_path: Path,
    fault: str,
    seen: tuple[int, int],
    method: str,
    path: str,
    asked: str | None,
    answered: str,
    require_real: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = read(AIRBYTE, require_real)
    tap = consented(tmp_path, "airbyte", fault, seen, monkeypatch)
    (told,) = [one for one in tap.said if one[0] == method and path in one[1]]
    for schema, value in ((asked, told[2]), (answered, told[3])):
        if schema is not None:
            whole = {"$ref": f"#/components/schemas/{schema}", "components": spec["components"]}
            assert [error.message for error in Draft202012Validator(whole).iter_errors(value)] == []
    assert asked is not None or told[2] is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "seen", "call"),
    [
        (f"kind: run_fails, {ONE_RUN}, error: connection timed out", (9, 20), "rerun-failed-jobs"),
        (f"kind: run_hangs, {ONE_RUN}", (9, 30), "cancel"),
    ],
)
def test_github_is_asked_as_its_specification_says(
    tmp_path: Path,
    fault: str,
    seen: tuple[int, int],
    call: str,
    require_real: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = read(GITHUB, require_real)
    tap = consented(tmp_path, "github", fault, seen, monkeypatch)
    [(method, path, sent, answer)] = tap.said
    template = re.sub(
        r"^/repos/[^/]+/[^/]+/actions/runs/\d+/", "/repos/{owner}/{repo}/actions/runs/{run_id}/", path
    )
    described = spec["paths"][template][method.lower()]
    assert path.endswith(f"/{call}")
    assert sent is None or not described["requestBody"]["required"]
    assert [str(one) for one in tap.statuses] == [next(iter(described["responses"]))]
    assert answer == {}
