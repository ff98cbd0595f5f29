"""What every connector promises, asked of each one that has the ability, before its twin on a real socket.

Connectors and twins are found by their file names; nothing here knows one platform from another.
"""

import asyncio
import json
import random
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from starlette.responses import JSONResponse, Response

from dogwatch.connectors import load, names
from dogwatch.errors import AuthError, ConnectorError, RateLimited, UnexpectedAnswer, Unreachable
from dogwatch.lab.twin import platform_names
from dogwatch.lab.world import LabRun, Outcome
from dogwatch.model import Job, JobState, Run, ScheduleKind, Status, run_uid
from dogwatch.model.described import descriptions
from dogwatch.wire.connector import AnyConnector, HasCaveats, HasJobs, HasRuns
from dogwatch.wire.http import Pace
from support.clock import NOON, JumpingClock
from support.door import texts
from support.nasty import NASTY, places, replaced
from support.stage import Call, Host, Reading, Stage, as_json, damaged, hosting, reading, records
from support.worlds import ERROR, fault, job, run, runs_every, world

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
QUICK = Pace(per_second=0, tries=2, timeout=0.3, patience=5.0)
LESS_QUICK = Pace(per_second=0, tries=1, timeout=1.5, patience=5.0)  # a busy machine may take its time


def having(ability: type) -> list[str]:
    """The connectors that have an ability."""
    return [name for name in names() if _has(load(name), ability)]


def _has(connector: type, ability: type) -> bool:
    """As isinstance would say; the protocols have methods alone."""
    return issubclass(connector, ability)


with_runs = pytest.mark.parametrize("kind", having(HasRuns))
with_jobs = pytest.mark.parametrize("kind", having(HasJobs))
with_caveats = pytest.mark.parametrize("kind", having(HasCaveats))
every = pytest.mark.parametrize("kind", names())


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with hosting() as found:
        yield found


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


def few(kind: str) -> list[LabRun]:
    """A dozen runs: enough to be a page, small enough to look at."""
    return runs_every(kind, HOUR, 12)


def ids(stage: Stage, runs: Sequence[LabRun]) -> set[str]:
    return {stage.twin.run_id(one) for one in runs}


async def check(connector: AnyConnector) -> str:
    return await connector.check()


# ── what is there ───────────────────────────────────────────────────────────────────────────────────────────


def test_every_connector_has_a_twin_and_every_twin_a_connector() -> None:
    assert names() == platform_names()
    assert len(names()) >= 2


@every
def test_a_connector_names_its_platform_and_documents_each_setting(kind: str) -> None:
    connector = load(kind)
    assert connector.title
    assert connector.__doc__
    assert connector.Settings.model_fields.keys() == descriptions(connector.Settings).keys()
    assert connector.overlap >= timedelta(0)


@every
def test_check_says_in_one_line_what_can_be_read(kind: str, clock: JumpingClock, host: Host) -> None:
    stage = Stage(kind, world(kind, few(kind), clock=clock), clock, host)
    line = stage.does(check)
    assert line == line.strip()
    assert line.isprintable()
    assert 10 < len(line) <= 200


@every
def test_nothing_that_shows_a_connector_tells_its_credentials(
    kind: str, clock: JumpingClock, host: Host
) -> None:
    stage = Stage(kind, world(kind, few(kind), clock=clock), clock, host)

    async def shown(connector: AnyConnector) -> str:
        await connector.check()
        holders = (connector, connector.settings, connector.doors, connector.http)
        return " ".join(f"{holder!r} {holder}" for holder in holders)

    words = stage.does(shown)
    assert [name for name, secret in stage.twin.credentials().items() if secret in words] == []


@with_caveats
def test_caveats_are_sentences(kind: str, clock: JumpingClock, host: Host) -> None:
    stage = Stage(kind, world(kind, few(kind), clock=clock), clock, host)

    async def caveats(connector: AnyConnector) -> Sequence[str]:
        assert isinstance(connector, HasCaveats)
        return await connector.caveats()

    for caveat in stage.does(caveats):
        assert caveat.isprintable()
        assert 10 < len(caveat) <= 300


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────


@with_runs
def test_no_runs_are_no_error(kind: str, clock: JumpingClock, host: Host) -> None:
    stage = Stage(kind, world(kind, [], clock=clock), clock, host)
    assert stage.reads().sound().runs == []


@pytest.mark.slow
@with_runs
def test_ten_thousand_runs_are_read_without_loss_or_repeat(
    kind: str, clock: JumpingClock, host: Host
) -> None:
    told = runs_every(kind, timedelta(seconds=45), 10_000)
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)
    seen = stage.reads().sound()
    assert seen.ids == ids(stage, told)
    first: dict[str, Run] = {}
    for one in seen.runs:  # where a listing was cut off and asked again in parts, the very same is told again
        assert first.setdefault(one.uid, one) == one
    assert len(first) == 10_000
    assert len(seen.runs) <= 20_000


@with_runs
def test_the_first_batch_comes_before_the_last_page_is_read(
    kind: str, clock: JumpingClock, host: Host
) -> None:
    told = runs_every(kind, 5 * MINUTE, 1500)
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)

    async def first(connector: AnyConnector) -> int:
        assert isinstance(connector, HasRuns)
        async for batch in connector.runs(stage.ask()):
            if batch:
                break
        return len(stage.way.calls)

    assert stage.does(first) <= 8


@with_runs
def test_nothing_is_lost_from_a_page_that_grows_while_it_is_read(
    kind: str, clock: JumpingClock, host: Host
) -> None:
    old = runs_every(kind, 5 * MINUTE, 700)
    new = [run(kind, 1000 + index, NOON + index * 10 * SECOND, lasts=SECOND) for index in range(600)]
    stage = Stage(kind, world(kind, old + new, clock=clock), clock, host)
    ask = stage.ask()

    def grow(call: Call) -> None:
        clock.move(MINUTE)

    stage.way.before = grow
    seen = stage.reads(ask).sound()
    assert ids(stage, old) <= seen.ids
    for one in seen.runs:  # whoever is told twice is the same one
        assert one.uid == seen.by_id[one.native_run_id].uid


@with_runs
def test_only_the_runs_since_then_are_asked_for(kind: str, clock: JumpingClock, host: Host) -> None:
    told = runs_every(kind, HOUR, 100)
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)
    since = NOON - 5 * HOUR
    seen = stage.reads(stage.ask(since=since)).sound()
    assert ids(stage, [one for one in told if one.created >= since]) <= seen.ids
    assert len(seen.ids) <= 8
    assert len(stage.way.reads) <= 6


@with_runs
def test_reading_twice_tells_the_same(kind: str, clock: JumpingClock, host: Host) -> None:
    told = [*few(kind), run(kind, 50, NOON - 2 * HOUR, outcome=Outcome.failed)]
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)
    ask = stage.ask()
    assert stage.reads(ask).sound().by_id == stage.reads(ask).sound().by_id


@with_runs
def test_pages_that_go_round_in_circles_come_to_an_end(kind: str, clock: JumpingClock, host: Host) -> None:
    stage = Stage(kind, world(kind, runs_every(kind, 5 * MINUTE, 1500), clock=clock), clock, host)
    first: dict[str, bytes] = {}

    def same(call: Call, body: bytes) -> bytes:
        """Whatever is asked of a path, the answer is the first one that held records."""
        found = as_json(body)
        if not call.login and call.path not in first and records(found, stage.twin.required):
            first[call.path] = body
        return first.get(call.path, body)

    def enough(call: Call) -> Response | None:
        return JSONResponse({"message": "enough"}, 418) if len(stage.way.calls) > 120 else None

    stage.way.rewrite, stage.way.answer = same, enough
    seen = stage.reads()
    assert len(stage.way.calls) < 120
    assert seen.error is None or isinstance(seen.error, UnexpectedAnswer)


# ── no ──────────────────────────────────────────────────────────────────────────────────────────────────────


@every
@pytest.mark.parametrize("code", [401, 403])
def test_revoked_credentials_are_an_auth_error(kind: str, code: int, clock: JumpingClock, host: Host) -> None:
    revoked = fault(kind, "auth_revoked", at=NOON, status=code)
    stage = Stage(kind, world(kind, few(kind), clock=clock, faults=[revoked]), clock, host)
    with pytest.raises(AuthError) as caught:
        stage.does(check)
    assert caught.value.status == code
    assert len(stage.way.calls) <= 4


@with_runs
@pytest.mark.parametrize("code", [401, 403])
def test_credentials_revoked_after_the_login_are_an_auth_error(
    kind: str, code: int, clock: JumpingClock, host: Host
) -> None:
    revoked = fault(kind, "auth_revoked", at=NOON + SECOND, status=code)
    stage = Stage(kind, world(kind, few(kind), clock=clock, faults=[revoked]), clock, host)

    async def work(connector: AnyConnector) -> Reading:
        await connector.check()
        clock.move(MINUTE)
        return await reading(connector, stage.ask())

    seen = stage.does(work)
    assert isinstance(seen.error, AuthError)
    assert seen.error.status == code
    assert seen.runs == []


@with_runs
def test_a_missing_permission_is_told_as_one(kind: str, clock: JumpingClock, host: Host) -> None:
    stage = Stage(kind, world(kind, few(kind), clock=clock), clock, host)

    def refuse(call: Call) -> Response | None:
        return None if call.login else JSONResponse({"message": "you may not see this"}, 403)

    stage.way.answer = refuse
    seen = stage.reads()
    assert isinstance(seen.error, AuthError)
    assert seen.error.status == 403
    assert "permission" in seen.error.hint
    assert "you may not see this" in seen.error.message
    assert len(stage.way.reads) <= 2


@with_runs
def test_a_token_that_is_revoked_once_is_bought_anew_where_that_is_possible(
    kind: str, clock: JumpingClock, host: Host
) -> None:
    told = few(kind)
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)

    async def work(connector: AnyConnector) -> Reading:
        await connector.check()
        stage.twin.revoke()
        before = len(stage.way.calls)
        seen = await reading(connector, stage.ask())
        buys = [call for call in stage.way.calls[before:] if call.login]
        assert len(buys) <= 2
        return seen

    seen = stage.does(work)
    if any(call.login for call in stage.way.calls):
        assert seen.sound().ids == ids(stage, told)
    elif seen.error is not None:
        assert isinstance(seen.error, AuthError)


@with_runs
def test_a_token_is_renewed_before_it_ends(kind: str, clock: JumpingClock, host: Host) -> None:
    stage = Stage(kind, world(kind, few(kind), clock=clock), clock, host)
    refused: list[int] = []

    async def work(connector: AnyConnector) -> None:
        for _ in range(6):
            await connector.check()
            clock.move(timedelta(minutes=22))

    def watch(call: Call, body: bytes) -> bytes:
        if b"invalid" in body.lower() and b"token" in body.lower():
            refused.append(1)
        return body

    stage.way.rewrite = watch
    stage.does(work)
    assert refused == []


# ── wait ────────────────────────────────────────────────────────────────────────────────────────────────────


@with_runs
@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("whom", ["the first call", "a read"])
def test_a_429_is_waited_out_as_the_platform_asks(
    kind: str, whom: str, form: str, clock: JumpingClock, host: Host
) -> None:
    told = few(kind)
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)
    limited: list[Call] = []

    def limit(call: Call) -> Response | None:
        if limited or (whom == "a read" and call.login):
            return None
        limited.append(call)
        until = format_datetime(clock.now() + timedelta(seconds=33), usegmt=True)
        return JSONResponse(
            {"message": "slow down"}, 429, {"Retry-After": "33" if form == "seconds" else until}
        )

    stage.way.answer = limit
    assert stage.reads().sound().ids == ids(stage, told)
    assert any(32 <= wait <= 34 for wait in clock.slept)


@with_runs
def test_a_429_without_end_is_told_as_such(kind: str, clock: JumpingClock, host: Host) -> None:
    limited = fault(kind, "rate_limited", at=NOON, retry_after=20)
    stage = Stage(kind, world(kind, few(kind), clock=clock, faults=[limited]), clock, host)
    seen = stage.reads()
    assert isinstance(seen.error, RateLimited)
    assert seen.error.retry_after == 20
    assert seen.error.transient
    assert len(stage.way.calls) <= 8


@with_runs
def test_a_429_that_asks_for_an_hour_is_not_waited_out(kind: str, clock: JumpingClock, host: Host) -> None:
    limited = fault(kind, "rate_limited", at=NOON, retry_after=timedelta(hours=1))
    stage = Stage(kind, world(kind, few(kind), clock=clock, faults=[limited]), clock, host)
    seen = stage.reads()
    assert isinstance(seen.error, RateLimited)
    assert seen.error.retry_after == 3600
    assert clock.now() - NOON < timedelta(minutes=5)


# ── trouble ─────────────────────────────────────────────────────────────────────────────────────────────────


@with_runs
@pytest.mark.parametrize("code", [500, 502, 503, 504, 408])
def test_trouble_that_passes_goes_unnoticed(kind: str, code: int, clock: JumpingClock, host: Host) -> None:
    told = runs_every(kind, 5 * MINUTE, 300)
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)

    def now_and_then(call: Call) -> Response | None:
        return JSONResponse({"message": "oops"}, code) if len(stage.way.calls) % 3 == 1 else None

    stage.way.answer = now_and_then
    assert stage.reads().sound().ids == ids(stage, told)


@every
@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_trouble_that_stays_is_unreachable(kind: str, code: int, clock: JumpingClock, host: Host) -> None:
    down = fault(kind, "platform_down", at=NOON, status=code)
    stage = Stage(kind, world(kind, few(kind), clock=clock, faults=[down]), clock, host)
    with pytest.raises(Unreachable) as caught:
        stage.does(check)
    assert caught.value.status == code
    assert caught.value.transient
    assert len(stage.way.calls) <= 12


def some_or_all(seen: Reading, count: int) -> None:
    """What came before the trouble is there; who needs no more than two calls for everything has it all."""
    if seen.error is None:
        assert len(seen.ids) == count
    else:
        assert isinstance(seen.error, Unreachable)
        assert 10 <= len(seen.ids) < count


@with_runs
def test_trouble_half_way_leaves_what_was_read(kind: str, clock: JumpingClock, host: Host) -> None:
    told = runs_every(kind, 5 * MINUTE, 1500)
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)

    def then_down(call: Call) -> Response | None:
        return JSONResponse({"message": "oops"}, 503) if len(stage.way.reads) > 2 else None

    stage.way.answer = then_down
    some_or_all(stage.reads(), 1500)


@every
@pytest.mark.parametrize("whom", ["the first call", "a read"])
def test_silence_is_unreachable_within_the_timeout(
    kind: str, whom: str, clock: JumpingClock, host: Host
) -> None:
    stage = Stage(kind, world(kind, few(kind), clock=clock), clock, host)
    stage.way.hangs = lambda call: whom == "the first call" or not call.login

    async def timed(connector: AnyConnector) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(Unreachable):
            await connector.check()
        return loop.time() - began

    assert stage.does(timed, pace=QUICK) < 10  # the default is 30 for each try


@with_runs
def test_silence_half_way_leaves_what_was_read(kind: str, clock: JumpingClock, host: Host) -> None:
    told = runs_every(kind, 5 * MINUTE, 1500)
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)
    stage.way.hangs = lambda call: len(stage.way.reads) > 2
    some_or_all(stage.reads(pace=LESS_QUICK), 1500)


@every
def test_a_refused_connection_is_unreachable(kind: str, clock: JumpingClock, host: Host) -> None:
    stage = Stage(kind, world(kind, few(kind), clock=clock), clock, host)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(Unreachable, match="cannot connect"):
        stage.does(check, url=nobody)


# ── nonsense ────────────────────────────────────────────────────────────────────────────────────────────────


@with_runs
@pytest.mark.parametrize("shape", ["truncated", "html", "empty", "wrong_type", "missing_field"])
def test_a_listing_of_the_wrong_shape_is_unexpected(
    kind: str, shape: str, clock: JumpingClock, host: Host
) -> None:
    bad = fault(kind, "bad_payload", at=NOON + SECOND, shape=shape)
    stage = Stage(kind, world(kind, few(kind), clock=clock, faults=[bad]), clock, host)

    async def work(connector: AnyConnector) -> Reading:
        await connector.check()
        clock.move(MINUTE)
        return await reading(connector, stage.ask())

    seen = stage.does(work)
    assert isinstance(seen.error, UnexpectedAnswer)
    assert seen.runs == []
    assert len(str(seen.error)) < 400
    assert str(seen.error).isprintable()


@with_runs
@pytest.mark.parametrize("shape", ["truncated", "html", "empty", "wrong_type"])
def test_a_login_of_the_wrong_shape_is_our_error(
    kind: str, shape: str, clock: JumpingClock, host: Host
) -> None:
    bad = fault(kind, "bad_payload", at=NOON, shape=shape)
    stage = Stage(kind, world(kind, few(kind), clock=clock, faults=[bad]), clock, host)
    seen = stage.reads()
    assert isinstance(seen.error, ConnectorError)
    assert seen.runs == []


@with_jobs
@pytest.mark.parametrize("shape", ["truncated", "html", "empty", "wrong_type"])
def test_jobs_of_the_wrong_shape_are_unexpected(
    kind: str, shape: str, clock: JumpingClock, host: Host
) -> None:
    bad = fault(kind, "bad_payload", at=NOON + SECOND, shape=shape)
    stage = Stage(kind, world(kind, few(kind), clock=clock, faults=[bad]), clock, host)

    async def work(connector: AnyConnector) -> None:
        await connector.check()
        clock.move(MINUTE)
        with pytest.raises(UnexpectedAnswer):
            await jobs_of(connector)

    stage.does(work)


@with_runs
@pytest.mark.parametrize("how", ["missing", "null", "text", "nothing", "nested"])
def test_the_good_records_of_a_page_survive_a_bad_one(
    kind: str, how: str, clock: JumpingClock, host: Host
) -> None:
    told = few(kind)
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)
    spoilt: list[Call] = []

    def spoil(call: Call, body: bytes) -> bytes:
        value = as_json(body)
        listed = None if call.login or spoilt else records(value, stage.twin.required)
        if listed is None or len(listed) < len(told):
            return body
        spoilt.append(call)
        listed[1] = damaged(listed[1], stage.twin.required, how)
        return json.dumps(value).encode()

    stage.way.rewrite = spoil
    seen = stage.reads()
    assert spoilt
    assert isinstance(seen.error, UnexpectedAnswer)
    assert len(seen.ids) == len(told) - 1
    assert seen.ids <= ids(stage, told)


@with_runs
def test_whatever_a_platform_answers_only_our_errors_come_out(
    kind: str, clock: JumpingClock, host: Host
) -> None:
    rng = random.Random(5)
    told = [
        *runs_every(kind, HOUR, 6),
        run(kind, 20, NOON - 3 * HOUR, outcome=Outcome.failed),
        run(kind, 21, NOON - 2 * HOUR, outcome=Outcome.timed_out),
        run(kind, 22, NOON - 2 * MINUTE, lasts=None),
    ]
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)
    known = {one.native_run_id: one for one in stage.reads().sound().runs if not one.status.good}

    def mangle(call: Call, body: bytes) -> bytes:
        value = as_json(body)
        if call.login or value is None or len(stage.way.calls) > 60:
            return body
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            value = replaced(value, rng.choice(list(places(value))), rng.choice(NASTY))
        return json.dumps(value).encode()

    async def all_of_it(connector: AnyConnector) -> None:
        await reading(connector, stage.ask(known=known))
        if isinstance(connector, HasJobs):
            await connector.jobs(NOON)
        await connector.check()

    async def work(connector: AnyConnector) -> None:
        for _ in range(60):
            stage.way.calls.clear()
            with suppress(ConnectorError):
                await all_of_it(connector)

    stage.way.rewrite = mangle
    stage.does(work, pace=Pace(per_second=0, tries=1), in_process=True)


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────

EXPECTED = {
    Outcome.success: Status.success,
    Outcome.failed: Status.failed,
    Outcome.cancelled: Status.cancelled,
    Outcome.timed_out: Status.timed_out,
    Outcome.skipped: Status.skipped,
}


@with_runs
def test_each_outcome_gets_our_word_and_keeps_its_own(kind: str, clock: JumpingClock, host: Host) -> None:
    told = {
        outcome: run(kind, number, NOON - number * HOUR, outcome=outcome)
        for number, outcome in enumerate(Outcome, start=1)
    }
    stage = Stage(kind, world(kind, told.values(), clock=clock), clock, host)
    seen = stage.reads().sound().by_id
    words = {outcome: seen.get(stage.twin.run_id(one)) for outcome, one in told.items()}
    # Some platforms keep no record of a run that they did not start; all others must be there.
    shown = {outcome: one for outcome, one in words.items() if one is not None or outcome != Outcome.skipped}
    assert {outcome: one and one.status for outcome, one in shown.items()} == {
        outcome: EXPECTED[outcome] for outcome in shown
    }
    assert all(one is not None and one.native_status for one in shown.values())
    assert all(one is not None and one.ended_at is not None for one in shown.values())


@with_runs
def test_an_unknown_word_stays_unknown_and_is_kept(kind: str, clock: JumpingClock, host: Host) -> None:
    odd = run(kind, 1, NOON - HOUR, native_status="QUIESCED_BY_PROXY")
    fine = run(kind, 2, NOON - 2 * HOUR)
    stage = Stage(kind, world(kind, [odd, fine], clock=clock), clock, host)
    seen = stage.reads().sound().by_id
    assert seen[stage.twin.run_id(odd)].status is Status.unknown
    assert "QUIESCED_BY_PROXY" in seen[stage.twin.run_id(odd)].native_status
    assert seen[stage.twin.run_id(fine)].status is Status.success


@with_runs
def test_a_run_says_who_it_is(kind: str, clock: JumpingClock, host: Host) -> None:
    told = few(kind)
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)
    native_job = stage.twin.job_id(f"{kind}/orders")
    seen = stage.reads(stage.ask(names={native_job: "Orders, as last known"})).sound()
    for one in seen.runs:
        assert (one.platform, one.instance, one.job_id) == (kind, kind, native_job)
        assert one.job_name == "Orders, as last known"
        assert one.uid == run_uid(kind, kind, native_job, one.native_run_id, one.attempt)
        assert one.observed_at == NOON
        assert one.attempt == 1
    shown = stage.twin.job_name(job(kind))
    assert {one.job_name for one in stage.reads().sound().runs} <= {native_job, shown}


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────


@with_runs
def test_times_are_the_true_ones(kind: str, clock: JumpingClock, host: Host) -> None:
    told = few(kind)
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)
    seen = stage.reads().sound().by_id
    for one in told:
        found = seen[stage.twin.run_id(one)]
        assert found.started_at is not None
        assert abs(found.started_at - one.created) < SECOND
        assert found.ended_at is not None
        assert one.attempts[-1].ended is not None
        assert abs(found.ended_at - one.attempts[-1].ended) < SECOND


@with_runs
@pytest.mark.parametrize("minutes", [330, -480, 0])
def test_the_zone_in_which_a_platform_writes_makes_no_difference(
    kind: str, minutes: int, clock: JumpingClock, host: Host
) -> None:
    told = [*few(kind), run(kind, 40, NOON - 2 * HOUR, outcome=Outcome.failed)]
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)
    there = stage.reads().sound().by_id
    offset = timedelta(minutes=minutes)
    stage = Stage(kind, world(kind, told, clock=JumpingClock(), offset=offset), JumpingClock(), host)
    ask = stage.ask(now=NOON)
    assert {
        key: one.model_dump(exclude={"observed_at", "url"}) for key, one in stage.reads(ask).by_id.items()
    } == {key: one.model_dump(exclude={"observed_at", "url"}) for key, one in there.items()}


@every
def test_a_clock_that_is_off_is_noticed(kind: str, clock: JumpingClock, host: Host) -> None:
    skewed = fault(kind, "clock_skew", at=NOON, by=timedelta(minutes=17))
    stage = Stage(kind, world(kind, few(kind), clock=clock, faults=[skewed]), clock, host)

    async def skew(connector: AnyConnector) -> timedelta | None:
        await connector.check()
        return connector.http.skew

    found = stage.does(skew)
    assert found is not None
    assert abs(found - timedelta(minutes=17)) <= 2 * SECOND


# ── open runs ───────────────────────────────────────────────────────────────────────────────────────────────


def open_run(stage: Stage, one: LabRun) -> Run:
    """A run as it was stored when it was still going."""
    native_job, native_id = stage.twin.job_id(one.job), stage.twin.run_id(one)
    return Run(
        uid=run_uid(stage.kind, stage.kind, native_job, native_id, 1),
        platform=stage.kind,
        instance=stage.kind,
        job_id=native_job,
        job_name="Orders",
        native_run_id=native_id,
        status=Status.running,
        native_status="RUNNING",
        started_at=one.created,
        observed_at=one.created + MINUTE,
    )


@with_runs
@pytest.mark.parametrize("outcome", [Outcome.success, Outcome.failed, Outcome.cancelled])
def test_an_open_run_is_asked_again_whatever_the_watermark(
    kind: str, outcome: Outcome, clock: JumpingClock, host: Host
) -> None:
    old = run(kind, 77, NOON - timedelta(days=4), lasts=timedelta(days=3), outcome=outcome)
    stage = Stage(kind, world(kind, [old, *few(kind)], clock=clock), clock, host)
    known = open_run(stage, old)
    seen = stage.reads(stage.ask(since=NOON - HOUR, known={known.native_run_id: known})).sound()
    found = seen.by_id[known.native_run_id]
    assert found.status is EXPECTED[outcome]
    assert found.uid == known.uid
    assert found.error_message == (None if outcome is Outcome.success else found.error_message)


@with_runs
def test_many_open_runs_are_all_asked_again(kind: str, clock: JumpingClock, host: Host) -> None:
    old = [run(kind, number, NOON - timedelta(days=5) + number * MINUTE) for number in range(1, 61)]
    stage = Stage(kind, world(kind, old, clock=clock), clock, host)
    known = {stage.twin.run_id(one): open_run(stage, one) for one in old}
    seen = stage.reads(stage.ask(since=NOON - HOUR, known=known)).sound()
    assert {key for key, one in seen.by_id.items() if one.status is Status.success} == set(known)


@with_runs
def test_an_open_run_that_the_platform_has_forgotten_harms_nobody(
    kind: str, clock: JumpingClock, host: Host
) -> None:
    told = few(kind)
    stage = Stage(kind, world(kind, told, clock=clock), clock, host)
    known = open_run(stage, run(kind, 987, NOON - timedelta(days=400)))
    seen = stage.reads(stage.ask(known={known.native_run_id: known})).sound()
    assert seen.ids - {known.native_run_id} == ids(stage, told)


@with_runs
def test_a_long_run_is_told_when_it_has_ended(kind: str, clock: JumpingClock, host: Host) -> None:
    long = run(kind, 1, NOON - 9 * HOUR, lasts=9 * HOUR + 10 * MINUTE, outcome=Outcome.failed)
    stage = Stage(
        kind,
        world(kind, [long, *(run(kind, 2 + n, NOON - n * HOUR) for n in range(1, 9))], clock=clock),
        clock,
        host,
    )
    native_id = stage.twin.run_id(long)

    async def two_rounds(connector: AnyConnector) -> tuple[Reading, Reading]:
        first = await reading(connector, stage.ask())
        clock.time = NOON + 15 * MINUTE
        known = {one.native_run_id: one for one in first.runs if one.status.open}
        since = NOON - max(connector.overlap, MINUTE)
        return first, await reading(connector, stage.ask(since=since, known=known))

    first, second = stage.does(two_rounds)
    before = first.sound().by_id.get(native_id)  # some platforms show a run only once it has ended
    assert before is None or before.status.open
    assert before is None or before.ended_at is None
    assert second.sound().by_id[native_id].status is Status.failed


@with_runs
def test_a_run_that_is_still_going_has_no_end(kind: str, clock: JumpingClock, host: Host) -> None:
    going = run(kind, 1, NOON - HOUR, lasts=None)
    stage = Stage(kind, world(kind, [going], clock=clock), clock, host)
    for one in stage.reads().sound().runs:
        assert one.status is Status.running
        assert one.ended_at is None
        assert one.duration is None


# ── why ─────────────────────────────────────────────────────────────────────────────────────────────────────


@with_runs
def test_a_failed_run_says_why(kind: str, clock: JumpingClock, host: Host) -> None:
    failed = run(kind, 1, NOON - HOUR, outcome=Outcome.failed)
    stage = Stage(kind, world(kind, [failed], clock=clock), clock, host)
    (found,) = stage.reads().sound().by_id.values()
    assert found.status is Status.failed
    assert ERROR in (found.error_message or "")


@with_runs
def test_why_an_old_run_failed_costs_no_request(kind: str, clock: JumpingClock, host: Host) -> None:
    bad = [run(kind, number, NOON - number * HOUR, outcome=Outcome.failed) for number in range(1, 9)]
    good = [run(kind, number, NOON - number * HOUR) for number in range(1, 9)]
    stage = Stage(kind, world(kind, bad, clock=clock), clock, host)
    seen = stage.reads(stage.ask(details_since=NOON)).sound()
    assert {one.status for one in seen.runs} == {Status.failed}
    asked = len(stage.way.calls)
    stage = Stage(kind, world(kind, good, clock=clock), clock, host)
    stage.reads(stage.ask(details_since=NOON)).sound()
    assert asked == len(stage.way.calls)


@with_runs
@pytest.mark.parametrize("outcome", [Outcome.failed, Outcome.timed_out])
def test_a_failed_run_that_is_known_and_did_not_change_costs_no_request(
    kind: str, outcome: Outcome, clock: JumpingClock, host: Host
) -> None:
    bad = [run(kind, number, NOON - number * HOUR, outcome=outcome) for number in range(1, 9)]
    stage = Stage(kind, world(kind, bad, clock=clock), clock, host)

    async def two_rounds(connector: AnyConnector) -> tuple[Reading, int, Reading, int]:
        await connector.check()
        start = len(stage.way.calls)
        first = await reading(connector, stage.ask(details_since=NOON))  # listing alone
        listing = len(stage.way.calls) - start
        first = await reading(connector, stage.ask())
        start = len(stage.way.calls)
        second = await reading(connector, stage.ask(known=first.by_id))
        return first, listing, second, len(stage.way.calls) - start

    first, listing, second, again = stage.does(two_rounds)
    assert {one.status for one in first.sound().runs} == {EXPECTED[outcome]}
    assert all(ERROR in (one.error_message or "") for one in first.runs)
    assert again <= listing + 1
    for key, one in second.sound().by_id.items():  # what was learned is not forgotten
        assert (one.status, one.error_message) == (first.by_id[key].status, first.by_id[key].error_message)


@with_runs
def test_reasons_that_cannot_be_read_leave_the_runs(kind: str, clock: JumpingClock, host: Host) -> None:
    bad = [run(kind, number, NOON - number * HOUR, outcome=Outcome.failed) for number in range(1, 5)]
    stage = Stage(kind, world(kind, bad, clock=clock), clock, host)
    listing: set[tuple[str, str]] = set()

    async def plain(connector: AnyConnector) -> None:
        await reading(connector, stage.ask(details_since=NOON))
        listing.update((call.method, call.path) for call in stage.way.calls)

    stage.does(plain)

    def refuse(call: Call) -> Response | None:
        known = (call.method, call.path) in listing
        return None if known else JSONResponse({"message": "you may not see this"}, 403)

    stage.way.answer = refuse
    seen = stage.reads()
    assert {key: one.status for key, one in seen.by_id.items()} == dict.fromkeys(
        ids(stage, bad), Status.failed
    )


# ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────


async def jobs_of(connector: AnyConnector) -> dict[str, Job]:
    assert isinstance(connector, HasJobs)
    return {one.job_id: one for one in await connector.jobs(NOON)}


@with_jobs
def test_jobs_have_names_schedules_and_states(kind: str, clock: JumpingClock, host: Host) -> None:
    told = [
        job(kind, "nightly", "Nightly load", schedule="30 2 * * *", timezone="Europe/Berlin"),
        job(kind, "often", "Often", schedule=None, every=timedelta(minutes=30)),
        job(kind, "byhand", "By hand", schedule=None),
        job(kind, "resting", "Resting", paused=True),
    ]
    stage = Stage(kind, world(kind, [], clock=clock, jobs=told), clock, host)
    seen = stage.does(jobs_of)
    found = {one.job.partition("/")[2]: seen[stage.twin.job_id(one.job)] for one in told}
    assert len(seen) == len(told)
    assert [seen[stage.twin.job_id(one.job)].name for one in told] == [
        stage.twin.job_name(one) for one in told
    ]
    assert {key: one.state for key, one in found.items() if key != "byhand"} == {
        "nightly": JobState.active, "often": JobState.active, "resting": JobState.paused,
    }  # fmt: skip
    assert all(one.platform == one.instance == kind for one in seen.values())
    assert all(one.observed_at == NOON for one in seen.values())
    nightly, often, byhand = (found[key].schedule for key in ("nightly", "often", "byhand"))
    assert nightly is not None
    assert nightly.kind in {ScheduleKind.cron, ScheduleKind.quartz}
    assert "30 2" in nightly.expression
    for moment in (NOON, NOON + timedelta(days=180)):
        berlin = moment.astimezone(ZoneInfo("Europe/Berlin")).utcoffset()
        assert moment.astimezone(ZoneInfo(nightly.timezone)).utcoffset() == berlin
    assert often is not None
    assert often.every_seconds == 1800 or "/30" in often.expression
    assert byhand is None or byhand.kind in {ScheduleKind.manual, ScheduleKind.event}  # no time starts it


@with_jobs
def test_many_jobs_are_all_listed(kind: str, clock: JumpingClock, host: Host) -> None:
    told = [job(kind, f"job{number}", f"Job {number}") for number in range(730)]
    stage = Stage(kind, world(kind, [], clock=clock, jobs=told), clock, host)
    seen = stage.does(jobs_of)
    names_there = {stage.twin.job_id(one.job): stage.twin.job_name(one) for one in told}
    assert {key: one.name for key, one in seen.items()} == names_there


HOSTILE = (
    "</script><b>&amp; {0} %s ${x} `id` @channel <!here> '\"; DROP TABLE x;-- \u202e\u0007\u001b[31m\u2028🐕"
)


@with_jobs
def test_hostile_names_pass_through_as_data(kind: str, clock: JumpingClock, host: Host) -> None:
    hostile = job(kind, name=HOSTILE)
    stage = Stage(kind, world(kind, [], clock=clock, jobs=[hostile]), clock, host)
    (one,) = stage.does(jobs_of).values()
    assert one.name == stage.twin.job_name(hostile)
    assert stage.does(check).isprintable()


@with_runs
def test_hostile_error_texts_pass_through_as_data(kind: str, clock: JumpingClock, host: Host) -> None:
    failed = run(kind, 1, NOON - HOUR, outcome=Outcome.failed, error=HOSTILE)
    stage = Stage(kind, world(kind, [failed], clock=clock), clock, host)
    (one,) = stage.reads().sound().by_id.values()
    assert HOSTILE in (one.error_message or "")


@with_runs
def test_an_error_text_without_end_is_bounded(kind: str, clock: JumpingClock, host: Host) -> None:
    failed = run(kind, 1, NOON - HOUR, outcome=Outcome.failed, error="out of memory " * 50_000)
    stage = Stage(kind, world(kind, [failed], clock=clock), clock, host)
    (one,) = stage.reads().sound().by_id.values()
    assert 100 <= len(one.error_message or "") <= 10_000
    assert len(one.model_dump_json()) <= 40_000


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────


@with_runs
@pytest.mark.parametrize("code", [200, 400, 401, 403, 404, 429, 500])
@pytest.mark.parametrize("whom", ["the first call", "a read"])
def test_credentials_that_a_platform_echoes_are_told_to_nobody(
    kind: str, whom: str, code: int, clock: JumpingClock, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(kind, world(kind, few(kind), clock=clock), clock, host)

    def echo(call: Call) -> Response | None:
        if call.login and whom == "a read":
            return None
        said = json.dumps(dict(call.headers)) + call.body.decode("utf-8", "replace")
        return JSONResponse({"message": f"{'x' * 200} {said}", "error_description": said, "echo": said}, code)

    stage.way.answer = echo
    caplog.set_level("DEBUG")
    seen = stage.reads()
    assert code == 200 or isinstance(seen.error, ConnectorError)  # a 200 may pass for an empty page
    secrets = {key: value for key, value in stage.twin.credentials().items() if len(value) >= 6}
    for call in stage.way.calls:
        token = call.headers.get("authorization", "").partition(" ")[2]
        secrets[f"token {len(secrets)}"] = token or "no token at all"
    told = [*texts(seen.error), seen.error.hint] if seen.error else []
    words = "\n".join([*told, *(one.model_dump_json() for one in seen.runs), caplog.text])
    leaked = [
        key for key, value in secrets.items() if value in words or value[: len(value) // 2 + 4] in words
    ]
    assert leaked == []


@with_runs
def test_credentials_in_an_error_text_are_told_to_nobody(kind: str, clock: JumpingClock, host: Host) -> None:
    world_of = world(
        kind, [run(kind, 1, NOON - HOUR, outcome=Outcome.failed, error="told below")], clock=clock
    )
    stage = Stage(kind, world_of, clock, host)
    secrets = [value for value in stage.twin.credentials().values() if len(value) >= 6 and "\n" not in value]
    told = json.dumps(" and ".join(["bad login", *secrets]))[1:-1].encode()
    stage.way.rewrite = lambda call, body: body.replace(b"told below", told)
    (one,) = stage.reads().sound().by_id.values()
    assert "bad login" in (one.error_message or "")
    assert [secret for secret in secrets if secret in one.model_dump_json()] == []


def test_the_suite_needs_no_word_of_any_platform() -> None:
    text = Path(__file__).read_text(encoding="utf-8").lower()
    assert [name for name in names() if name in text or load(name).title.lower() in text] == []
