"""What an estate really depends on is found out from what its platforms show, and drawn as a person asks."""

import asyncio
import json
import random
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dogwatch import settings
from dogwatch.app import Dogwatch
from dogwatch.lab.clock import LabLoop, SimulatedClock
from dogwatch.lab.estate import Estate, ToldPipeline, load_estate
from dogwatch.lab.faults import Fault
from dogwatch.lab.serve import Lab
from dogwatch.lab.simulate import simulate
from dogwatch.pipelines.graph import Graph
from support.cli import run
from support.estates import NOW, faults, shop


def watched(folder: Path, estate: Estate, days: int, struck: list[Fault] | None = None) -> tuple[Graph, Lab]:
    """The graph after one round over so many days of an estate; configuration and store stay there."""
    clock = SimulatedClock(NOW)
    start = NOW - timedelta(days=days)
    lab = Lab(simulate(estate, seed=3, start=start, end=NOW, clock=clock, faults=struck or []))
    lab.write_config(folder, history_days=days, told=estate.told)

    async def look() -> Graph:
        read = settings.load(None, {}, folder)
        async with Dogwatch(read, clock=clock, transport=lab.transport(), rng=random.Random(1)) as app:
            await app.check()
            return (await app.graph()).picture.graph

    with asyncio.Runner(loop_factory=LabLoop) as runner:
        return runner.run(look()), lab


def found_and_true(graph: Graph, lab: Lab, estate: Estate) -> tuple[dict[str, bool], dict[str, bool]]:
    """(edges that were found, edges that there are), each with whether it starts what it points to."""
    names = {lab.subject(job): job for job in estate.jobs}
    found = {f"{names[one.upstream]}>{names[one.downstream]}": one.triggers for one in graph.edges}
    true = {f"{upstream}>{spec.job}": False for spec in estate.jobs.values() for upstream in spec.reads}
    true |= {f"{upstream}>{spec.job}": True for spec in estate.jobs.values() for upstream in spec.after}
    return found, true


@pytest.mark.slow
def test_the_edges_of_the_audit_estate_are_found_and_no_others(tmp_path: Path) -> None:
    estate = load_estate("audit")
    graph, lab = watched(tmp_path, estate, 12)
    found, true = found_and_true(graph, lab, estate)
    assert found == true
    assert graph.suggested == ()
    assert {name: len(one.subjects) for name, one in graph.pipelines.items()} == {
        "sales": 7,
        "finance": 4,
        "customers": 5,
    }
    assert not [one.unmatched for one in graph.pipelines.values() if one.unmatched]


def test_a_small_estate_is_found_out_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    estate = shop(tmp_path)
    line = ToldPipeline(
        "daily",
        ("airbyte/orders", "snowflake/load", "databricks/daily", "component/extractor"),
        (("component/extractor", "airbyte/orders"),),
        "06:00",
    )
    estate = Estate(
        estate.id, estate.timezone, estate.jobs, estate.components, type(estate.told)(pipelines=(line,))
    )
    error = "- {at: 2026-03-03T01:00:00Z, on: airbyte/orders, kind: run_fails, error: permission denied}"
    graph, lab = watched(tmp_path, estate, 7, faults(error, estate, tmp_path))
    orders, load = lab.subject("airbyte/orders") or "", lab.subject("snowflake/load") or ""
    found = graph.edge(orders, load)
    assert found is not None
    assert (found.basis.value, found.triggers) == ("table", True)  # it reads it, and begins when it is done
    assert "component/extractor" in graph.ancestors(load)
    _shows(orders)


def _shows(orders: str) -> None:
    text = run("graph", "daily").stdout
    assert "daily: 4 jobs · fresh by 06:00 Berlin" in text
    assert "● orders" in text
    assert "begins" not in text
    told = json.loads(run("graph", "orders", "--format", "json").stdout)
    assert told["format"] == "dogwatch.graph/1"
    assert next(node["state"] for node in told["nodes"] if node["subject"] == orders) == "culprit"
    assert run("graph", "DAILY", "--format", "mermaid").stdout.startswith("flowchart LR")
    ElementTree.fromstring(run("graph", "--format", "svg").stdout)
    wrong = run("graph", "dialy")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "no pipeline and no job is called 'dialy'" in wrong.stderr
    assert "did you mean 'daily'?" in wrong.stderr
