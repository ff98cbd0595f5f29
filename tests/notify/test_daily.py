"""The daily digest: due once a day by the clock on the wall, sent once whatever happens to us."""

import asyncio
import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx2
import pytest

from dogwatch.app import Dogwatch
from dogwatch.errors import SettingsError
from dogwatch.lab.clock import LabLoop, SimulatedClock
from dogwatch.lab.serve import Lab
from dogwatch.model import Items, Severity
from dogwatch.model.overview import Overview
from dogwatch.notify.routing import Daily
from dogwatch.report.daily import daily
from dogwatch.settings import Settings, load
from support.crash_story import ROUNDS, story

BERLIN = ZoneInfo("Europe/Berlin")
EVERY = frozenset(range(7))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def test_it_is_due_from_its_time_of_day_on_for_some_hours() -> None:
    rule = Daily(time(7, 30), BERLIN, EVERY, ("mail",))
    assert rule.due(at("2026-11-20 07:29")) is None
    assert rule.due(at("2026-11-20 07:30")) == "daily/2026-11-20T07:30"
    assert rule.due(at("2026-11-20 13:29")) == "daily/2026-11-20T07:30"
    assert rule.due(at("2026-11-20 13:30")) is None
    late = Daily(time(23, 0), BERLIN, EVERY, ("mail",))
    assert late.due(at("2026-11-21 01:00")) == "daily/2026-11-20T23:00"
    mondays = Daily(time(7, 30), BERLIN, frozenset({0}), ("mail",))
    assert mondays.due(at("2026-11-20 08:00")) is None  # a Friday
    assert mondays.due(at("2026-11-23 08:00")) == "daily/2026-11-23T07:30"


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_when_the_clocks_change_there_is_one_all_the_same(day: str) -> None:
    rule = Daily(time(2, 30), BERLIN, EVERY, ("mail",))
    start = at(f"{day} 00:00")
    seen = {rule.due(start + timedelta(minutes=5 * step)) for step in range(12 * 23)}
    assert seen == {None, f"daily/{day}T02:30"}


class Split(httpx2.AsyncBaseTransport):
    """Leads to the lab, but for the webhook, which is here and does not always answer."""

    def __init__(self, lab: httpx2.AsyncBaseTransport) -> None:
        self._lab = lab
        self.down = False
        self.taken: list[dict[str, object]] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host != "hook.example":
            return await self._lab.handle_async_request(request)
        if self.down:
            return httpx2.Response(503)
        self.taken.append(json.loads(request.content))
        return httpx2.Response(204)

    @property
    def digests(self) -> list[str]:
        """Keys of those that arrived."""
        return [str(one["key"]) for one in self.taken if one["occasion"] == "report"]


class Days:
    """A configuration, and rounds at moments of one's choice, each by a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.clock = SimulatedClock(ROUNDS[0])
        lab = Lab(story(self.clock, ordinary=False))
        self.way = Split(lab.transport())
        config = lab.write_config(folder)
        text = "channels:\n  hook: {kind: webhook, url: 'https://hook.example/dogwatch'}\n"
        text += "digests:\n  - {at: '09:00', timezone: UTC, to: [hook]}\n"
        config.write_text(config.read_text() + text)
        self.settings: Settings = load(config, {"DOGWATCH_HOOK_SECRET": "s3cret-of-the-hook"}, folder)

    def round(self, moment: datetime) -> None:
        """One round then."""

        async def once() -> None:
            async with Dogwatch(self.settings, clock=self.clock, transport=self.way) as app:
                await app.check()

        self.clock.set(moment)
        with asyncio.Runner(loop_factory=LabLoop) as runner:
            runner.run(once())


@pytest.fixture
def days(tmp_path: Path) -> Days:
    return Days(tmp_path)


def test_it_is_sent_once_a_day_however_often_somebody_starts_anew(days: Days) -> None:
    midnight = ROUNDS[0].replace(hour=0, minute=0) + timedelta(days=1)
    for minutes in (8 * 60 + 59, 9 * 60 + 1, 9 * 60 + 16):
        days.round(midnight + timedelta(minutes=minutes))
    assert days.way.digests == [f"daily/{midnight:%Y-%m-%d}T09:00@hook"]
    (digest,) = (one for one in days.way.taken if one["occasion"] == "report")
    assert str(digest["title"]).startswith("Daily digest: ")
    assert "dogwatch report" in str(digest["text"])


@pytest.mark.slow
def test_one_that_could_not_be_sent_gives_way_to_the_next(days: Days) -> None:
    midnight = ROUNDS[0].replace(hour=0, minute=0) + timedelta(days=1)
    days.way.down = True
    days.round(midnight + timedelta(hours=9, minutes=1))
    days.round(midnight + timedelta(days=1, hours=9, minutes=1))
    days.way.down = False
    days.round(midnight + timedelta(days=1, hours=9, minutes=31))
    assert days.way.digests == [f"daily/{midnight + timedelta(days=1):%Y-%m-%d}T09:00@hook"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{at: '7:30', to: [mail]}", "digests.0.at: is no time of day"),
        ("{at: '07:30', to: [mail]}", "digests.0.to: there is no channel 'mail'"),
        ("{at: '07:30', to: [mail], timezone: Berlin}", "digests.0.timezone"),
    ],
)
def test_what_is_wrong_with_a_digest_is_told_with_its_key(tmp_path: Path, given: str, said: str) -> None:
    (tmp_path / "dogwatch.yaml").write_text(f"connectors:\n  airbyte: {{}}\ndigests:\n  - {given}\n")
    with pytest.raises(SettingsError) as told:
        load(None, {}, tmp_path)
    assert said in told.value.message


def test_a_quiet_day_says_so_in_few_words() -> None:
    now = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)
    message = daily(
        Overview(at=now, timezone="UTC", since=now, last_round_at=now, starts_at=now, ends_at=now), "k"
    )
    assert message.title == "Daily digest: Everything as expected"
    assert message.severity is Severity.INFO
    assert not [block for block in message.blocks if isinstance(block, Items)]
