"""What components are measured by, what they write, what is deployed: the same for whoever asks, and when."""

import json
from datetime import timedelta
from typing import Any

import pytest

from dogwatch.lab.clock import SimulatedClock
from dogwatch.lab.estate import Component
from dogwatch.lab.faults import Fault, PerSecond
from dogwatch.lab.google import entry
from dogwatch.lab.lines import Line, Lines
from dogwatch.lab.meters import METERS, Meters
from dogwatch.lab.platforms.gcs import Export
from dogwatch.lab.releases import Releases
from dogwatch.lab.world import World
from support.clock import NOON

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
API = "component/api"
TEMPLATES = ("served {doc} in {ms} ms", "WARNING slow answer from {ip}", "cache {word} holds {n} of {id}")


def world(*faults: Fault, seed: int = 5, rate: float = 0.5) -> World:
    parts = {API: Component(API, "cloud_logging", rate, TEMPLATES), "component/db": Component("component/db")}
    return World(
        "shop",
        "UTC",
        {},
        [],
        SimulatedClock(NOON),
        other_faults=faults,
        components=parts,
        seed=seed,
        start=NOON - 10 * DAY,
        end=NOON,
    )


def lines(told: World, since: timedelta = HOUR, until: timedelta = timedelta()) -> list[Line]:
    return list(Lines(told).between(NOON - since, NOON - until))


def test_a_meter_shows_the_same_in_every_world_of_the_same_seed() -> None:
    one, other, another = Meters(world()), Meters(world()), Meters(world(seed=6))
    shown = [one.value(API, metric, NOON) for metric in METERS]
    assert shown == [other.value(API, metric, NOON) for metric in METERS]
    assert shown != [another.value(API, metric, NOON) for metric in METERS]


@pytest.mark.parametrize("metric", METERS)
def test_a_shift_multiplies_its_metric_in_its_time_and_nothing_else(metric: str) -> None:
    fields = {"metric": metric, "factor": 0.5}
    shifted = Meters(world(Fault("metric_shift", API, NOON - HOUR, NOON - MINUTE, fields)))
    usual = Meters(world())
    for name in METERS:
        for at in (NOON - 2 * HOUR, NOON - 30 * MINUTE, NOON):
            factor = 0.5 if name == metric and at == NOON - 30 * MINUTE else 1.0
            assert shifted.value(API, name, at) == pytest.approx(factor * usual.value(API, name, at))
            assert shifted.value("component/db", name, at) == usual.value("component/db", name, at)


def test_ordinary_metrics_stay_below_every_limit() -> None:
    meters = Meters(world())
    moments = [NOON - MINUTE * 17 * back for back in range(800)]
    assert max(meters.value(API, "error_rate", at) for at in moments) < 0.01
    assert max(meters.value(API, "latency", at) for at in moments) < 2
    assert all(0 < meters.value(API, "accuracy", at) <= 1 for at in moments)


def test_lines_are_the_same_however_one_asks() -> None:
    whole = lines(world())
    parts = [
        line for back in range(60, 0, -7) for line in lines(world(), MINUTE * back, MINUTE * max(0, back - 7))
    ]
    assert whole == parts
    assert whole == sorted(whole, key=lambda line: line.at)
    assert 1200 < len(whole) < 2600
    assert len({line.number for line in whole}) == len(whole)


def test_slots_are_filled_and_severities_are_read_from_templates() -> None:
    told = lines(world())
    assert {line.severity for line in told} == {"INFO", "WARNING"}
    assert not any("{" in line.text for line in told)
    assert all("slow answer" in line.text for line in told if line.severity == "WARNING")


@pytest.mark.parametrize(
    ("fields", "least", "most"),
    [({}, 0.15, 0.6), ({"rate": PerSecond(2.0)}, 1.8, 2.2), ({"rate": 3.0}, 0.9, 2.2)],
)
def test_a_new_template_comes_at_its_rate_in_its_time(
    fields: dict[str, Any], least: float, most: float
) -> None:
    new = Fault("log_new", API, NOON - 40 * MINUTE, NOON - 10 * MINUTE, {"line": "boom {id}", **fields})
    told = [line for line in lines(world(new)) if line.text.startswith("boom")]
    assert all(new.strikes(line.at) for line in told)
    low, high = (0.05, 0.15) if not fields else (least, most)
    assert low < len(told) / 1800 < high
    assert [line for line in lines(world(new)) if not line.text.startswith("boom")] == lines(world())


def test_a_surge_multiplies_the_template_it_names() -> None:
    fields = {"line": "slow answer from {ip}", "rate": 12.0}
    surge = Fault("log_surge", API, NOON - 30 * MINUTE, None, fields)
    count = [
        sum(line.severity == "WARNING" and line.at >= NOON - 30 * MINUTE for line in lines(told))
        for told in (world(), world(surge))
    ]
    assert 9 < count[1] / count[0] < 16
    assert sum(line.severity == "INFO" for line in lines(world(surge))) == sum(
        line.severity == "INFO" for line in lines(world())
    )


def test_a_deployment_that_breaks_a_component_shows_in_its_errors_and_its_log() -> None:
    fields = {"breaks": (API,), "error": "TypeError: boom", "version": "v2"}
    broken = world(Fault("deploy", API, NOON - 30 * MINUTE, None, fields))
    told = [line for line in lines(broken) if line.severity == "ERROR"]
    assert {line.text for line in told} == {"TypeError: boom"}
    assert min(line.at for line in told) >= NOON - 30 * MINUTE
    assert Meters(broken).value(API, "error_rate", NOON) >= 0.3
    released = [one for one in Releases(broken).all if one.version == "v2"]
    assert [(one.repository, one.created) for one in released] == [("shop/api", NOON - 30 * MINUTE)]


def test_a_deployment_that_does_not_last_is_taken_back() -> None:
    short = Fault("deploy", API, NOON - HOUR, NOON - MINUTE, {"version": "v2"})
    versions = [one.version for one in Releases(world(short)).all if one.created >= NOON - HOUR]
    assert versions == ["v2", "v2-rollback"]


def test_components_are_released_now_and_then_in_working_hours() -> None:
    usual = Releases(world()).all
    assert 0 < len(usual) < 6
    assert all(one.created.weekday() < 5 and 8 <= one.created.hour <= 16 for one in usual)


def test_every_line_is_exported_once_some_of_them_late() -> None:
    told = world()
    objects = list(Export(told).objects(NOON - 6 * HOUR, NOON + 4 * HOUR))
    hours = [one for one in objects if one.name.split("/")[-1] < "12:"]
    stamps = [json.loads(row)["insertId"] for one in hours for row in one.body.splitlines()]
    written = [entry(line)["insertId"] for line in lines(told, 6 * HOUR)]
    assert sorted(stamps) == sorted(written)
    assert len(set(stamps)) == len(stamps)
    assert any("_A0:" in one.name for one in objects)
    assert all(one.created > NOON - 5 * HOUR for one in objects)


def test_no_object_is_there_before_its_hour_is_over() -> None:
    names = [one.name for one in Export(world()).objects(NOON - 3 * HOUR, NOON)]
    assert names
    assert not any("/11:00:00_" in name for name in names)
