"""ask and chat at a terminal while a model is still writing: whole sentences on evidence, and Ctrl-C."""

import asyncio
import json
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dogwatch.app import Dogwatch
from dogwatch.report.exposition import Sample
from dogwatch.settings import load
from support.cli import run
from support.slow_model import LEFT, SlowModel, slow_model
from support.terminal import terminal
from support.watched import watched

pytestmark = pytest.mark.slow

QUESTION = "why is stock red?"
FIRST, LIE, LAST = "There is no such table.", "Competitors wiped 42 backups.", "no such table: stock"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return watched(tmp_path_factory.mktemp("streams"))


@pytest.fixture
def model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowModel]:
    """A model that halts in the middle of its answer, and dogwatch set up to ask it."""
    config = folder / "dogwatch.yaml"
    plain = config.read_text(encoding="utf-8")
    with slow_model() as model:
        agents = {"model": "compatible:m", "endpoints": {"compatible": model.url}}
        config.write_text(f"{plain}agents: {json.dumps(agents)}\n", encoding="utf-8")
        monkeypatch.chdir(folder)
        evidence = json.loads(run("ask", QUESTION, "--rules", "--format", "json").stdout)["evidence"]
        cited = next(one["id"] for one in evidence if LAST in json.dumps(one))
        said = [{"text": text, "evidence": [cited]} for text in (FIRST, LIE, LAST)]
        whole = json.dumps({"statements": said})
        middle = whole.index(LAST)
        model.halves = (whole[:middle], whole[middle:])
        yield model
    config.write_text(plain, encoding="utf-8")


def _figures(folder: Path) -> dict[str, Sequence[Sample]]:
    async def work() -> dict[str, Sequence[Sample]]:
        async with Dogwatch(load(None, {}, folder)) as app:
            return {one.name: one.samples for one in await app.watchkeeping().metrics()}

    return asyncio.run(work())


def test_a_sentence_is_read_while_the_next_is_written_and_a_lie_never(folder: Path, model: SlowModel) -> None:
    with terminal(folder, "ask", QUESTION) as seen:
        seen.until("Cause, ")
        seen.until("orchestrator: writes")
        seen.until(FIRST)
        assert LAST not in seen.all.partition("writes")[2]
        model.go_on.set()
        seen.until(LAST)
        seen.until("rests on")
        assert seen.ended() == 0
    assert LIE not in seen.all
    assert "pydantic" not in seen.all.lower()
    assert all(asked["stream"] for asked in model.asked)
    labels = {"provider": "compatible", "what": "requests"}
    assert _figures(folder)["dogwatch_model_headroom"] == [(labels, LEFT)]


def test_ctrl_c_stops_an_answer_and_what_was_told_stays_told(folder: Path, model: SlowModel) -> None:
    with terminal(folder, "chat") as seen:
        seen.until("? ")
        seen.type(f"{QUESTION}\n")
        seen.until(FIRST)
        seen.process.send_signal(signal.SIGINT)
        seen.until("stopped")
        seen.until("? ")
        model.go_on.set()
        seen.type("and what is broken?\n")
        seen.until(LAST)
        seen.until("? ")
        seen.type("exit\n")
        assert seen.ended() == 0
    before = str(model.asked[1]["messages"])
    assert FIRST in before
    assert LIE not in seen.all
    assert LIE not in before


def test_ctrl_c_ends_ask_as_shells_count(folder: Path, model: SlowModel) -> None:
    with terminal(folder, "ask", QUESTION) as seen:
        seen.until(FIRST)
        seen.process.send_signal(signal.SIGINT)
        assert seen.ended() == 130
    assert "Traceback" not in seen.all
