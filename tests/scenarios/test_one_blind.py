"""Each platform in turn fails in every way: the others are whole, and what was unseen is caught up with."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dogwatch.app import Dogwatch
from dogwatch.lab.clock import LabLoop, SimulatedClock
from dogwatch.lab.faults import SHAPES
from dogwatch.lab.serve import Lab
from dogwatch.lab.world import PlatformFault
from dogwatch.model import Finding
from dogwatch.model.report import CheckReport, Sight
from dogwatch.report.board import board
from dogwatch.settings import Settings, load
from support.crash_memory import Memory, Row, at_present, memory
from support.crash_story import PLATFORMS, ROUNDS, story

LEARNED, UNSEEN, RETURNED = ROUNDS[:3]
"""The platform goes blind after the first of these rounds and can be seen again before the third."""
BLIND_FROM, BLIND_UNTIL = UNSEEN - timedelta(minutes=5), RETURNED - timedelta(minutes=5)

WAYS: Mapping[str, tuple[str, Mapping[str, object], str]] = {
    "down": ("platform_down", {"status": 503}, "answered 503"),
    "refusing": ("platform_down", {"status": "refuses"}, "cannot connect to"),
    "slow": ("platform_slow", {"seconds": 600.0}, "no answer within"),
    "401": ("auth_revoked", {"status": 401}, "answered 401"),
    "403": ("auth_revoked", {"status": 403}, "answered 403"),
    "429": ("rate_limited", {}, "answered 429"),
    **{shape: ("bad_payload", {"shape": shape}, "") for shape in SHAPES},
}
"""A name for each way to fail: the lab's word, its fields, and what a person is told."""


Told = tuple[CheckReport, Memory]
"""What a round says, and what is remembered after it."""


@dataclass(frozen=True)
class Past:
    """What was learned by rounds of which every platform answered."""

    settings: Settings
    store: Path
    """As it was after the first round."""
    rounds: Sequence[Told]


def play(settings: Settings, rounds: Sequence[datetime], faults: Sequence[PlatformFault] = ()) -> list[Told]:
    """Make rounds in a world with those faults."""
    clock = SimulatedClock(rounds[0])
    transport = Lab(story(clock, ordinary=False, faults=faults)).transport()

    async def life() -> list[Told]:
        told: list[Told] = []
        async with Dogwatch(settings, clock=clock, transport=transport) as dogwatch:
            for moment in rounds:
                clock.set(moment)
                told.append((await dogwatch.check(), memory(Path(settings.store))))
        return told

    with asyncio.Runner(loop_factory=LabLoop) as runner:
        return runner.run(life())


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    folder = tmp_path_factory.mktemp("undisturbed")
    config = Lab(story(SimulatedClock(LEARNED), ordinary=False)).write_config(folder, history_days=2)
    settings = load(config, {}, folder)
    first = play(settings, [LEARNED])
    learned = Path(shutil.copy(settings.store, folder / "learned.db"))
    return Past(settings, learned, [*first, *play(settings, [UNSEEN, RETURNED])])


def about(platform: str, remembered: Memory) -> Memory:
    """What is remembered of one platform."""

    def concerns(row: Row) -> bool:
        subject = str(row.get("subject", row.get("instance")))
        return subject.partition("/")[0] == platform

    told = {name: [row for row in rows if concerns(row)] for name, rows in remembered.items()}
    # Blindness is an incident too and is counted with the others.
    parts = [{key: row[key] for key in row if key != "number"} for row in told["incident_findings"]]
    return {**told, "incident_findings": parts}


def without_skew(remembered: Memory) -> Memory:
    """Who waits for a slow platform sees the clocks of all others at another fraction of a second."""
    sources = [{**row, "skew_seconds": None} for row in remembered["sources"]]
    return {**remembered, "sources": sources}


def the_others_are_whole(platform: str, told: Told, undisturbed: Told) -> None:
    """What is remembered and told of the other three is as if nothing had happened."""

    def elsewhere(report: CheckReport) -> list[Finding]:
        return [finding for finding in report.findings if finding.subject.partition("/")[0] != platform]

    others = {*PLATFORMS} - {platform}
    for other in others:
        assert about(other, told[1]) == about(other, undisturbed[1])
    assert {view.instance for view in told[0].platforms if view.sight is Sight.clear} == others
    assert elsewhere(told[0]) == elsewhere(undisturbed[0])


def the_blind_one_is_told(platform: str, report: CheckReport, why: str) -> None:
    """Which platform, since when, why, and that nothing is claimed of it."""
    (view,) = report.blind
    assert (view.instance, view.blind_since, view.read_until) == (platform, UNSEEN, LEARNED)
    assert view.jobs_as_expected is None
    assert why in view.reason
    assert all((view.reason, view.hint))
    (finding,) = (finding for finding in report.findings if finding.rule == "blind")
    assert (finding.subject, finding.at) == (platform, UNSEEN)
    (cited,) = (item for item in report.evidence if item.id in finding.evidence)
    assert cited.content["answer"] == view.reason
    shown = " ".join(board(report, 100).plain.split())
    assert f"BLIND {view.title} not readable since 13:20" in shown
    assert " ".join(view.reason.split()[:3]) in shown


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_one_platform_fails_and_the_others_do_not_suffer(
    platform: str, way: str, past: Past, tmp_path: Path
) -> None:
    kind, fields, why = WAYS[way]
    settings = past.settings.model_copy(update={"store": shutil.copy(past.store, tmp_path / "dogwatch.db")})
    fault = PlatformFault(platform, kind, BLIND_FROM, BLIND_UNTIL, fields)
    unseen, returned = play(settings, [UNSEEN, RETURNED], [fault])

    the_others_are_whole(platform, unseen, past.rounds[1])
    the_blind_one_is_told(platform, unseen[0], why)
    (before,), (since) = (about(platform, told[1])["sources"] for told in (past.rounds[0], unseen))
    assert [row["watermark"] for row in since] == [before["watermark"]]

    assert returned[0].blind == []
    assert at_present(returned[1]) == at_present(past.rounds[2][1])
