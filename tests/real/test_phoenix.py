"""A crew's trace read back from a real Phoenix. It is large, so it is there only after ``make phoenix``."""

import asyncio
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dogwatch.agents.crew import Crew
from dogwatch.agents.runtime import PydanticRuntime
from dogwatch.agents.spans import Spans
from dogwatch.model.investigation import Investigation
from dogwatch.wire.clock import SystemClock
from dogwatch.wire.http import Doors
from dogwatch.wire.otlp import send
from support.crew import Script, evidence_of, good, in_trouble, roster_of
from support.ports import free_port

pytestmark = pytest.mark.soak

PROGRAM = Path(__file__).parents[2] / ".phoenix" / "bin" / "phoenix"
_PATIENCE = 180.0


@pytest.fixture(scope="module")
def phoenix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Phoenix that keeps its traces in a folder of its own."""
    if not PROGRAM.exists():
        pytest.skip("Phoenix is not here: make phoenix installs it (580 MB)")
    home = tmp_path_factory.mktemp("phoenix")
    ports = [free_port(), free_port()]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PHOENIX_WORKING_DIR": str(home),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(ports[0]),
        "PHOENIX_GRPC_PORT": str(ports[1]),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    command = [str(PROGRAM), "serve"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=home, text=True
    ) as process:
        deadline = threading.Timer(_PATIENCE, process.kill)
        deadline.start()
        try:
            assert process.stdout is not None
            said: list[str] = []
            for line in process.stdout:
                said.append(line)
                if "Uvicorn running" in line:
                    break
            else:
                pytest.fail("".join(said)[-2000:])
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield f"http://127.0.0.1:{ports[0]}"
        finally:
            deadline.cancel()
            process.terminate()


def test_a_trace_of_the_crew_is_read_back_and_its_cost_adds_up(
    phoenix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with in_trouble(tmp_path_factory.mktemp("crew")) as ward:
        ward.rounds((9, 0), (9, 15))
        script = Script(good(evidence_of(ward), ward.subject))

        async def work() -> tuple[Investigation, Spans]:
            async with ward.app() as app:
                runtime = PydanticRuntime(script.model, price=lambda answer: 0.002)
                crew = Crew(roster_of(), runtime, app.desk())
                found = await crew.investigate(1)
                assert crew.spans is not None
                return found, crew.spans

        found, spans = ward.does(work())
    asyncio.run(send(Doors(SystemClock()), phoenix, None, spans.all))
    told: list[Any] = []
    until = time.monotonic() + 30  # Phoenix writes traces down in batches
    while len(told) < len(spans.all) and time.monotonic() < until:
        answer = httpx2.get(f"{phoenix}/v1/projects/default/spans", params={"limit": 1000}).json()
        told = [one for one in answer["data"] if one["context"]["trace_id"] == spans.trace]
    assert {one["context"]["span_id"] for one in told} == {one.id for one in spans.all}
    assert {one["span_kind"] for one in told} >= {"CHAIN", "AGENT", "LLM"}
    cost = sum(one["attributes"].get("llm.cost.total", 0.0) for one in told)
    assert cost == pytest.approx(found.usage.usd)
    tokens = sum(one["attributes"].get("llm.token_count.total", 0) for one in told)
    assert tokens == found.usage.input_tokens + found.usage.output_tokens
