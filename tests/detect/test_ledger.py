"""The ledger from round to round: what is written down, and what is judged again."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from dogwatch.detect import Duty, Policy
from dogwatch.detect.expect import Past
from dogwatch.detect.ledger import AGAIN, judge, quarter_of
from dogwatch.model import Expectation, Run
from dogwatch.model.ledger import Kept
from support.nights import a_past, a_run_at, at, cron, daily, runs_at

KEY = ("airbyte", "orders")
NIGHTLY = cron("0 2 * * *")


class Rounds:
    """Rounds over one job, each with what the one before wrote down."""

    def __init__(self, past: Past, first: datetime) -> None:
        self.past = past
        self.before = first
        self.kept: dict[datetime, Kept] = {}
        self.told: list[tuple[datetime, datetime]] = []
        """(round, slot) for each slot called missed for the first time."""

    def at(self, now: datetime) -> list[Expectation]:
        """One round, at which the runs are known that have begun by then."""
        runs: Sequence[Run] = [run for run in self.past.runs if run.began_at <= now]
        kept = [self.kept[moment] for moment in sorted(self.kept)]
        past = Past(self.past.versions, runs, self.past.upstreams, self.past.declared)
        duty = Duty({KEY: past}, {KEY[0]: quarter_of(self.before - AGAIN)}, {KEY: kept})
        judged = judge(duty, {KEY[0]: now}, {}, Policy(), now)
        for _, moment in judged.ledger.dropped:
            del self.kept[moment]
        for one in judged.ledger.slots:
            slot = one.slot
            if slot.state == "missed" and slot.id not in judged.told:
                self.told.append((now, slot.scheduled_for))
            self.kept[slot.scheduled_for] = one
        self.before = now
        return judged.slots

    def every(self, minutes: float, until: datetime) -> "Rounds":
        """Rounds at that distance."""
        while self.before < until:
            self.at(self.before + timedelta(minutes=minutes))
        return self


def irregular() -> list[Run]:
    """A job that begins anything up to four hours after its time."""
    return runs_at(moment + timedelta(hours=day % 5) for day, moment in enumerate(daily(20)))


@pytest.mark.parametrize("minutes", [15, 50, 180])
def test_a_slot_that_may_be_met_late_is_not_forgotten_before_it_is_missed(minutes: float) -> None:
    rounds = Rounds(a_past(NIGHTLY, irregular()), at(0, 20)).every(minutes, at(23, 20))
    ((told_at, slot),) = rounds.told
    assert slot == at(2, 20)
    missed = rounds.kept[slot].slot
    assert missed.start_by - slot == timedelta(hours=6)
    assert timedelta(0) < told_at - missed.start_by <= timedelta(minutes=minutes)


@pytest.mark.parametrize("minutes", [15, 50, 180])
def test_a_long_flow_that_is_told_of_at_its_end_is_not_forgotten_either(minutes: float) -> None:
    past = a_past(NIGHTLY, runs_at(daily(20), minutes=200), platform="power_automate")
    rounds = Rounds(past, at(0, 20)).every(minutes, at(23, 20))
    ((told_at, slot),) = rounds.told
    assert slot == at(2, 20)
    assert timedelta(0) < told_at - at(2, 20) - timedelta(minutes=4 + 250) <= timedelta(minutes=minutes)


def test_a_slot_that_waits_long_is_met_in_the_end() -> None:
    late = a_run_at(at(6.5, 20))
    rounds = Rounds(a_past(NIGHTLY, [*irregular(), late]), at(0, 20)).every(15, at(12, 20))
    assert rounds.told == []
    assert rounds.kept[at(2, 20)].slot.state == "met"


def test_what_is_soon_settled_is_not_written_down_before() -> None:
    rounds = Rounds(a_past(NIGHTLY, runs_at(daily(20))), at(0, 20))
    rounds.at(at(2.05, 20))
    assert at(2, 20) not in rounds.kept
    rounds.at(at(2.3, 20))
    assert rounds.kept[at(2, 20)].slot.state == "missed"


def test_an_open_slot_of_a_job_that_is_asleep_by_now_is_dropped() -> None:
    rounds = Rounds(a_past(NIGHTLY, irregular()), at(0, 20)).every(15, at(4, 20))
    assert rounds.kept[at(2, 20)].slot.state == "waiting"
    rounds.past = a_past(cron("0 5 * * *"), irregular())
    rounds.at(at(4.25, 20))
    assert at(2, 20) not in rounds.kept
