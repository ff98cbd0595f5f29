"""What is peculiar to Power Automate: runs that appear when they end, flows that are off, recurrences."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from starlette.responses import JSONResponse

from dogwatch.connectors.power_automate import PowerAutomate, _schedule
from dogwatch.detect.schedule import due
from dogwatch.lab.world import LabJob, LabRun, Outcome
from dogwatch.model import Job, JobState, Schedule, ScheduleKind, Status
from support.clock import NOON, JumpingClock
from support.stage import Call, Host, Stage, hosting
from support.worlds import job, run, runs_every, world

KIND = "power_automate"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with hosting() as hosted:
        yield hosted


def stage(host: Host, runs: Sequence[LabRun], *jobs: LabJob) -> Stage:
    clock = JumpingClock()
    return Stage(KIND, world(KIND, runs, clock=clock, jobs=jobs or None), clock, host)


async def list_jobs(connector: object) -> dict[str, Job]:
    assert isinstance(connector, PowerAutomate)
    return {one.name: one for one in await connector.jobs(NOON)}


async def list_caveats(connector: object) -> Sequence[str]:
    assert isinstance(connector, PowerAutomate)
    return await connector.caveats()


def test_a_run_that_is_still_going_is_not_shown_and_that_is_said(host: Host) -> None:
    staged = stage(host, [run(KIND, 1, NOON - timedelta(hours=1), lasts=None)])
    assert staged.reads().sound().runs == []
    assert any("Runs still going are not shown" in caveat for caveat in staged.does(list_caveats))


def test_a_long_run_is_found_when_it_ends_however_long_ago_it_began(host: Host) -> None:
    staged = stage(host, [run(KIND, 1, NOON - timedelta(hours=30), lasts=timedelta(hours=29, minutes=55))])
    told = staged.reads(staged.ask(since=NOON - timedelta(hours=1))).sound()
    assert [one.status for one in told.runs] == [Status.success]


def test_the_error_holds_code_and_message(host: Host) -> None:
    failed = run(KIND, 1, NOON - timedelta(hours=1), outcome=Outcome.failed, error="An action failed.")
    (one,) = stage(host, [failed]).reads().sound().runs
    assert one.error_message == "ActionFailed: An action failed."


@pytest.mark.parametrize("word", ["Success", "succeeded", "SUCCEEDED"])
def test_both_spellings_of_success_are_understood(host: Host, word: str) -> None:
    (one,) = stage(host, [run(KIND, 1, NOON - timedelta(hours=1), native_status=word)]).reads().sound().runs
    assert (one.status, one.native_status) == (Status.success, word)


def test_flows_that_are_off_are_listed_as_paused(host: Host) -> None:
    told = stage(host, [], job(KIND, "on", "On"), job(KIND, "off", "Off", paused=True)).does(list_jobs)
    assert {name: one.state for name, one in told.items()} == {"On": JobState.active, "Off": JobState.paused}


def test_a_suspended_flow_says_that_a_policy_stopped_it(host: Host) -> None:
    staged = stage(host, [], job(KIND, "orders", "Orders"))

    def suspend(call: Call, body: bytes) -> bytes:
        if "/workflows" not in call.path:
            return body
        told = json.loads(body)
        told["value"][0] |= {"statecode": 2, "statuscode": 3}
        return json.dumps(told).encode()

    staged.way.rewrite = suspend
    flow = staged.does(list_jobs)["Orders"]
    assert flow.state is JobState.suspended
    assert "data loss prevention" in flow.state_reason


def test_trouble_with_recording_is_a_caveat(host: Host) -> None:
    staged = stage(host, [])
    codes = ["IngestionRateDataLoss", "SomethingNew"]
    events = {"value": [{"eventcode": code} for code in codes]}
    staged.way.answer = lambda call: JSONResponse(events) if "/flowevents" in call.path else None
    told = " ".join(staged.does(list_caveats))
    assert "drops some of their records" in told
    assert "SomethingNew" not in told


def test_no_right_to_see_the_recording_is_a_caveat_not_a_failure(host: Host) -> None:
    staged = stage(host, runs_every(KIND, timedelta(hours=1), 3))
    denied = JSONResponse({"error": {"code": "0x80040220", "message": "missing prvReadOrganization"}}, 403)
    staged.way.answer = lambda call: denied if "/organizations" in call.path else None
    assert any("cannot be told" in caveat for caveat in staged.does(list_caveats))
    assert len(staged.reads().sound().ids) == 3


def test_a_next_link_to_another_host_is_not_followed(host: Host) -> None:
    staged = stage(host, runs_every(KIND, timedelta(minutes=1), 600))
    staged.way.rewrite = lambda call, body: body.replace(staged.url.encode(), b"http://evil.example")
    error = staged.reads().error
    assert error is not None
    assert "another host" in error.message


def definition(**trigger: Any) -> str:
    return json.dumps({"properties": {"definition": {"triggers": {"T": trigger}, "actions": {}}}})


@pytest.mark.parametrize(
    ("recurrence", "expected"),
    [
        (
            {
                "frequency": "Day",
                "interval": 1,
                "schedule": {"hours": ["6"], "minutes": [30]},
                "timeZone": "UTC",
            },
            Schedule(kind=ScheduleKind.cron, expression="30 6 * * *"),
        ),
        (
            {
                "frequency": "Week",
                "interval": 1,
                "schedule": {"hours": [6, 18], "weekDays": ["Monday", "Friday"]},
                "timeZone": "W. Europe Standard Time",
            },
            Schedule(kind=ScheduleKind.cron, expression="0 6,18 * * 1,5", timezone="Europe/Berlin"),
        ),
        (
            {"frequency": "Minute", "interval": 15},
            Schedule(kind=ScheduleKind.interval, expression="every 15 Minute", every_seconds=900),
        ),
        (
            {"frequency": "Day", "interval": 3},
            Schedule(kind=ScheduleKind.interval, expression="every 3 Day", every_seconds=259_200),
        ),
        ({"frequency": "Month", "interval": 1}, None),
        (
            {"frequency": "Month", "interval": 1, "startTime": "2026-01-05T23:30:00Z", "timeZone": "UTC"},
            Schedule(kind=ScheduleKind.cron, expression="30 23 5 * *"),
        ),
        (
            {
                "frequency": "Month",
                "interval": 3,
                "startTime": "2026-02-05T23:30:00Z",
                "timeZone": "W. Europe Standard Time",
            },
            Schedule(kind=ScheduleKind.cron, expression="30 0 6 2,5,8,11 *", timezone="Europe/Berlin"),
        ),
        (
            {"frequency": "Month", "schedule": {"monthDays": [1, "15", -1], "hours": [6], "minutes": [5]}},
            Schedule(kind=ScheduleKind.cron, expression="5 6 1,15,L * *"),
        ),
        (
            {
                "frequency": "Month",
                "startTime": "2026-02-05T04:10:00",
                "schedule": {
                    "monthlyOccurrences": [
                        {"day": "Monday", "occurrence": 1},
                        {"day": "friday", "occurrence": -1},
                    ]
                },
            },
            Schedule(kind=ScheduleKind.cron, expression="10 4 * * 1#1,5L"),
        ),
        ({"frequency": "Month", "interval": 1, "startTime": "2026-01-31T06:00:00"}, None),
        ({"frequency": "Month", "interval": 5, "startTime": "2026-01-05T06:00:00"}, None),
        ({"frequency": "Month", "interval": 2, "schedule": {"monthDays": [1], "hours": [6]}}, None),
        ({"frequency": "Month", "schedule": {"monthDays": [-2], "hours": [6]}}, None),
        ({"frequency": "Month", "schedule": {"monthlyOccurrences": ["first"], "hours": [6]}}, None),
        ({"frequency": "Week", "interval": 2, "schedule": {"weekDays": ["Monday"]}}, None),
    ],
)
def test_recurrences_are_understood_or_left_alone(
    recurrence: dict[str, Any], expected: Schedule | None
) -> None:
    schedule, metadata = _schedule(definition(type="Recurrence", recurrence=recurrence))
    assert schedule == expected
    assert "recurrence" in metadata
    if schedule is not None and schedule.kind is ScheduleKind.cron:
        assert due(schedule, KIND, NOON, NOON + timedelta(days=92))


@pytest.mark.parametrize(
    ("clientdata", "kind"),
    [
        (definition(type="Request", kind="Button"), ScheduleKind.manual),
        (definition(type="OpenApiConnectionWebhook"), ScheduleKind.event),
    ],
)
def test_other_triggers_are_events_or_people(clientdata: str, kind: ScheduleKind) -> None:
    schedule, _ = _schedule(clientdata)
    assert schedule == Schedule(kind=kind)


@pytest.mark.parametrize(
    "clientdata", [None, "", "{", "[]", "{}", '{"properties": 7}', definition(type="Recurrence")]
)
def test_a_definition_that_makes_no_sense_tells_no_schedule(clientdata: str | None) -> None:
    assert _schedule(clientdata) == (None, {})
