"""Our requests and the twin's answers, judged by prism with Airbyte's own specification in between."""

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dogwatch.connectors.airbyte import Airbyte, AirbyteSettings
from dogwatch.errors import ConnectorError
from dogwatch.lab.platforms.airbyte import AirbyteTwin
from dogwatch.lab.world import LabRun
from dogwatch.model import Status
from dogwatch.wire.http import Doors
from support.airbyte import EVERY_STATE, ask, at, read, world
from support.clock import NOON, JumpingClock
from support.node import Prism, missing, prism
from support.serve import served

SPECS = Path(__file__).parents[2] / ".." / "shared" / "specs" / "airbyte"
DOCUMENTED = [run for run in EVERY_STATE if run.native_status is None]

pytestmark = pytest.mark.real


def _document(name: str, base: str, folder: Path, required: bool) -> Path:
    """The vendor's document with whole paths."""
    source = SPECS / name
    if not source.exists():
        missing(f"the vendor's specification is not here: {source}", required)
    document: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    document["paths"] = {base + path: operations for path, operations in document["paths"].items()}
    document["servers"] = [{"url": "/"}]
    if document.get("security") == [{}]:
        del document["security"]  # nothing is demanded; prism takes it for a demand that nobody can meet
    target = folder / name
    target.write_text(json.dumps(document), encoding="utf-8")
    return target


@dataclass
class Judged:
    """A connector whose words all pass the judge."""

    airbyte: Airbyte
    public: Prism
    config: Prism

    @property
    def complaints(self) -> list[str]:
        """Of both judges."""
        return self.public.complaints + self.config.complaints


@contextmanager
def judged(runs: list[LabRun], base: str, folder: Path, required: bool) -> Iterator[Judged]:
    """The connector, two proxies and the twin, each at an address of its own."""
    clock = JumpingClock()
    twin = AirbyteTwin(world(runs, clock=clock))
    public = _document("airbyte-public-api.openapi.json", base, folder, required)
    config = _document("airbyte-config-api.openapi.json", "/api", folder, required)
    with ExitStack() as stack:
        upstream = stack.enter_context(served(twin.app()))
        first = stack.enter_context(prism(public, upstream, required))
        second = stack.enter_context(prism(config, upstream, required))
        settings = AirbyteSettings.model_validate(
            {
                "url": first.url + base,
                "config_url": f"{second.url}/api/v1",
                "workspace_ids": [twin.workspace],
                **twin.credentials(),
            }
        )
        doors = Doors(clock=clock, rng=random.Random(7))
        yield Judged(Airbyte("airbyte", settings, doors), first, second)


@pytest.mark.parametrize("base", ["/v1", "/api/public/v1"])
def test_no_request_and_no_answer_breaks_airbytes_specification(
    base: str, tmp_path: Path, require_real: bool
) -> None:
    async def conversation(airbyte: Airbyte) -> None:
        line = await airbyte.check()
        assert line.endswith("failure reasons available"), line
        assert len(await airbyte.jobs(NOON)) == 2
        batches = [batch async for batch in airbyte.runs(ask())]
        runs = {run.native_run_id: run for batch in batches for run in batch}
        assert len(runs) == len(DOCUMENTED)
        assert runs["48000003"].status is Status.timed_out
        still_open = {key: run for key, run in runs.items() if run.status.open}
        again, error = await read(airbyte, ask(since=at(1), known=still_open))
        assert error is None
        assert {run.native_run_id for run in again} == set(still_open)

    with judged(DOCUMENTED, base, tmp_path, require_real) as court:
        asyncio.run(conversation(court.airbyte))
        assert court.complaints == []
        assert sum("has returned 200" in line for line in court.public.log + court.config.log) >= 9


def test_the_judge_does_complain_about_a_word_that_is_not_airbytes(
    tmp_path: Path, require_real: bool
) -> None:
    with judged(list(EVERY_STATE), "/v1", tmp_path, require_real) as court:
        runs, error = asyncio.run(read(court.airbyte, ask()))
        assert runs == []
        assert isinstance(error, ConnectorError)
        assert any("data.7.status" in line or "VIOLATIONS" in line for line in court.complaints)
