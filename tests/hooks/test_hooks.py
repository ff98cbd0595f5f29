"""Every sort of caller: who is let in, what is understood and a row before a 2xx, and what is refused."""

import json
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from dogwatch import hooks
from dogwatch.app import Dogwatch
from dogwatch.model import Turn, TurnKind
from dogwatch.store.incidents import Casebook
from support.calling import (
    CONFIG,
    SECRET,
    Client,
    alerts,
    basic,
    bearer,
    calling,
    settings_in,
    slack,
    standard,
)
from support.clock import NOON, JumpingClock
from support.letters import incident

AT = NOON.timestamp()
SYNC = json.dumps(
    {
        "text": "Sync failed",
        "data": {
            "connection": {"id": "c1", "name": "orders"},
            "jobId": 7,
            "success": False,
            "finishedAt": "x",
        },
    }
).encode()
RUN = b'{"event_type": "jobs.on_failure", "workspace_id": 1, "run": {"run_id": "455"}, "job": {"job_id": 9}}'
OBJECT = json.dumps(
    {
        "message": {
            "attributes": {
                "bucketId": "acme-logs",
                "objectId": "run/2026/a.json",
                "objectGeneration": "17",
                "eventType": "OBJECT_FINALIZE",
            }
        }
    }
).encode()
RECORD = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": "a%2Fb.log"}}}
TOPIC = "arn:aws:sns:eu-central-1:123456789012:logs"
NOTE = json.dumps(
    {
        "Type": "Notification",
        "TopicArn": TOPIC,
        "MessageId": "m1",
        "Message": json.dumps({"Records": [RECORD]}),
    }
).encode()
COMMAND = urlencode(
    {
        "command": "/dataops-check",
        "text": "airbyte",
        "user_name": "sam",
        "response_url": "https://hooks.slack.com/commands/T1/2/x",
    }
).encode()
SIGNED = b'{"says": "the nightly export is there", "connectors": ["databricks"]}'

EVERYTHING = ["*"]
GOOD: dict[str, tuple[str, bytes, dict[str, str], list[str]]] = {
    "alertmanager": ("alertmanager", alerts(), bearer(), []),
    "alertmanager about a job": ("alertmanager", alerts({"labels": {"job": "orders"}}), basic(), ["airbyte"]),
    "airbyte": (f"airbyte/{SECRET}", SYNC, {}, ["airbyte", "second"]),
    "databricks": ("databricks", RUN, basic(), ["databricks"]),
    "generic": ("generic", SIGNED, standard(SIGNED, AT), ["databricks"]),
    "generic unsigned": ("open", b'{"id": "1"}', bearer(), EVERYTHING),
    "pubsub": (f"pubsub/{SECRET}", OBJECT, {}, ["logs"]),
    "sns": (f"sns/{SECRET}", NOTE, {}, EVERYTHING),
    "slack": ("slack", COMMAND, slack(COMMAND, AT), ["airbyte"]),
}


def rows(folder: Path) -> list[tuple[Any, ...]]:
    """What is on the disk, seen by somebody else."""
    with sqlite3.connect(folder / "dogwatch.db") as connection:
        found = connection.execute(
            "SELECT hook, touches, says, state, everything FROM calls ORDER BY number"
        ).fetchall()
    connection.close()
    return found


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of every good call, made twice."""
    folder = tmp_path_factory.mktemp("house")

    async def work(client: Client, app: Dogwatch) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, (path, body, headers, _) in GOOD.items():
            first = await client.post(f"/hooks/{path}", content=body, headers=headers)
            known = rows(folder)
            again = await client.post(f"/hooks/{path}", content=body, headers=headers)
            found[name] = first, known[-1], again, len(rows(folder)) - len(known)
        return found

    return calling(settings_in(folder), JumpingClock(), work)


@pytest.mark.parametrize("name", GOOD)
def test_what_a_caller_tells_is_a_row_before_it_is_answered(name: str, outcome: dict[str, Any]) -> None:
    first, row, again, more = outcome[name]
    hook = GOOD[name][0].partition("/")[0]
    assert first.status_code in {200, 202}, first.text
    assert row[0] == hook
    assert row[3] == "waiting"
    assert (["*"] if row[4] else json.loads(row[1])) == GOOD[name][3]
    assert (again.status_code, more) == (200, 0)


def test_every_sort_of_hook_is_called_in_these_tests() -> None:
    assert {path.partition("/")[0] for path, *_ in GOOD.values()} - {"open"} == set(hooks.names())


def test_a_slash_command_is_answered_only_to_who_asked(outcome: dict[str, Any]) -> None:
    told = outcome["slack"][0].json()
    assert told["response_type"] == "ephemeral"
    assert "answer follows" in told["text"]


STRANGE = SIGNED.replace(b"nightly", b"weekly")
BAD: dict[str, tuple[str, bytes, dict[str, str], int]] = {
    "no such hook": ("nobody", b"{}", bearer(), 404),
    "no secret": ("alertmanager", alerts(), {}, 401),
    "a wrong secret": ("alertmanager", alerts(), bearer("wrong"), 401),
    "a wrong password": ("databricks", RUN, basic("wrong"), 401),
    "a password that is no base64": ("databricks", RUN, {"Authorization": "Basic %%%"}, 401),
    "a wrong path": ("airbyte/wrong", SYNC, {}, 401),
    "a forged signature": ("generic", STRANGE, standard(SIGNED, AT), 401),
    "another key": ("generic", SIGNED, standard(SIGNED, AT, secret="other"), 401),
    "no signature": ("generic", SIGNED, bearer(), 401),
    "replayed after six minutes": ("generic", SIGNED, standard(SIGNED, AT - 360), 401),
    "from the future": ("generic", SIGNED, standard(SIGNED, AT + 360), 401),
    "slack forged": ("slack", COMMAND + b"&x=1", slack(COMMAND, AT), 401),
    "slack replayed": ("slack", COMMAND, slack(COMMAND, AT - 301), 401),
    "slack without a time": ("slack", COMMAND, {"X-Slack-Signature": "v0=1"}, 401),
    "too large": ("alertmanager", b"[" + b" " * (1 << 20) + b"]", bearer(), 413),
    "cut off": ("alertmanager", alerts()[:-5], bearer(), 400),
    "a list": ("alertmanager", b"[]", bearer(), 400),
    "another version": ("alertmanager", b'{"version": "3", "alerts": []}', bearer(), 400),
    "no fingerprint": ("alertmanager", alerts({"fingerprint": ""}), bearer(), 400),
    "no time": ("alertmanager", alerts({"startsAt": "soon"}), bearer(), 400),
    "no time of ours": ("alertmanager", alerts({"startsAt": "9999-12-31T23:59:59-14:00"}), bearer(), 400),
    "labels of another shape": ("alertmanager", alerts({"labels": ["x"]}), bearer(), 400),
    "nested without end": ("alertmanager", b'{"version":' + b"[" * 100_000, bearer(), 400),
    "not of Airbyte": (f"airbyte/{SECRET}", b'{"data": 7}', {}, 400),
    "a sync of nothing": (f"airbyte/{SECRET}", b'{"data": {"connection": {}}}', {}, 400),
    "not of Databricks": ("databricks", b'{"event_type": 7}', basic(), 400),
    "not of Pub/Sub": (f"pubsub/{SECRET}", b'{"message": "x"}', {}, 400),
    "not of Cloud Storage": (f"pubsub/{SECRET}", b'{"message": {"attributes": {}}}', {}, 400),
    "another topic": (f"sns/{SECRET}", NOTE.replace(b":logs", b":other"), {}, 403),
    "an event of nothing": (
        f"sns/{SECRET}",
        NOTE.replace(b"Records", b"Nothing").replace(b"[", b"7"),
        {},
        400,
    ),
    "a connector that is not there": ("open", b'{"connectors": ["nobody"]}', bearer(), 400),
    "connectors that are no list": ("open", b'{"connectors": 7}', bearer(), 400),
    "connectors that are no names": ("open", b'{"connectors": [7]}', bearer(), 400),
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int, str]:
    """What bad calls were answered, how many rows they left, and the figures after that."""
    folder = tmp_path_factory.mktemp("house")

    async def work(client: Client, app: Dogwatch) -> tuple[dict[str, Any], str]:
        found = {
            name: await client.post(f"/hooks/{path}", content=body, headers=headers)
            for name, (path, body, headers, _) in BAD.items()
        }
        return found, (await client.get("/metrics")).text

    found, figures = calling(settings_in(folder), JumpingClock(), work)
    return found, len(rows(folder)), figures


@pytest.mark.parametrize("name", BAD)
def test_what_is_forged_replayed_oversized_or_malformed_is_refused(
    name: str, refusals: tuple[dict[str, Any], int, str]
) -> None:
    answer = refusals[0][name]
    assert answer.status_code == BAD[name][3], answer.text
    assert SECRET not in answer.text


def test_nothing_is_left_of_what_was_refused_but_a_count(refusals: tuple[dict[str, Any], int, str]) -> None:
    assert refusals[1] == 0
    assert 'dogwatch_calls_refused_total{hook="alertmanager",status="401"} 2' in refusals[2]


ELSEWHERE = urlencode({"command": "/dataops-check", "response_url": "https://hooks.slack.com.evil.example/x"})
IGNORED = {
    "a test of Airbyte": (f"airbyte/{SECRET}", b'{"text": "hello"}', {}),
    "an object that is gone": (f"pubsub/{SECRET}", OBJECT.replace(b"FINALIZE", b"DELETE"), {}),
    "an object elsewhere": (f"pubsub/{SECRET}", OBJECT.replace(b"run/", b"elsewhere/"), {}),
    "an object of S3 that is gone": (f"sns/{SECRET}", NOTE.replace(b"Created", b"Removed"), {}),
    "a look of Slack": ("slack", b"ssl_check=1", slack(b"ssl_check=1", AT)),
}


def test_what_means_nothing_to_us_is_answered_and_not_kept(tmp_path: Path) -> None:
    async def work(client: Client, app: Dogwatch) -> list[int]:
        answers = [
            await client.post(f"/hooks/{path}", content=body, headers=headers)
            for path, body, headers in IGNORED.values()
        ]
        return [answer.status_code for answer in answers]

    assert set(calling(settings_in(tmp_path), JumpingClock(), work)) == {200}
    assert rows(tmp_path) == []


def test_an_answer_is_never_sent_where_slack_is_not(tmp_path: Path) -> None:
    async def work(client: Client, app: Dogwatch) -> int:
        body = ELSEWHERE.encode()
        answer = await client.post("/hooks/slack", content=body, headers=slack(body, AT))
        return answer.status_code

    assert calling(settings_in(tmp_path), JumpingClock(), work) == 400


def test_a_slash_command_asks_only_what_it_may(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, CONFIG.replace("slack: {}", "slack: {connectors: [databricks]}"))

    async def work(client: Client, app: Dogwatch) -> str:
        answer = await client.post("/hooks/slack", content=COMMAND, headers=slack(COMMAND, AT))
        text: str = answer.json()["text"]
        return text

    assert calling(settings, JumpingClock(), work) == "airbyte may not be asked from here; known: databricks"
    assert rows(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("feedback INC-7 80 well spotted", "there is no INC-7"),
        ("feedback 7 800", "there is no INC-7"),
    ],
)
def test_a_slash_command_may_give_a_score_which_asks_no_platform(
    tmp_path: Path, text: str, said: str
) -> None:
    form = {"command": "/dataops-check", "text": text, "user_id": "U1", "team_id": "T1"}
    body = urlencode(form).encode()

    async def work(client: Client, app: Dogwatch) -> str:
        answer = await client.post("/hooks/slack", content=body, headers=slack(body, AT))
        told: str = answer.json()["text"]
        return told

    assert calling(settings_in(tmp_path), JumpingClock(), work) == said
    assert rows(tmp_path) == []


def test_a_score_from_slack_stands_in_the_review_as_whoever_slack_says_gave_it(tmp_path: Path) -> None:
    form = {
        "command": "/dataops-check",
        "text": "feedback INC-7 80 well spotted",
        "user_id": "U1",
        "team_id": "T1",
    }
    body = urlencode(form).encode()

    async def work(client: Client, app: Dogwatch) -> tuple[str, list[str], float | None]:
        one = incident(opened_at=NOON, began_at=NOON)
        turn = Turn(
            number=7,
            version=1,
            at=NOON,
            actor="rules",
            kind=TurnKind.opened,
            was=None,
            state=one.state,
            why="x",
        )
        await app._thread(app._store.save_incidents, Casebook([one], [turn]))
        answer = await client.post("/hooks/slack", content=body, headers=slack(body, AT))
        trail = await app.audit("INC-7")
        given = [event.actor for event in trail.events if event.kind == "feedback.given"]
        return answer.json()["text"], given, (await app.desk().review(365)).now.feedback

    assert calling(settings_in(tmp_path), JumpingClock(), work) == (
        "INC-7: 80 of 100, noted",
        ["slack:T1/U1"],
        80.0,
    )


def test_an_old_call_that_comes_again_reopens_no_alert(tmp_path: Path) -> None:
    clock = JumpingClock()
    over = {"status": "resolved", "endsAt": "2026-03-03T11:55:00Z"}
    later = {"startsAt": "2026-03-03T11:58:00Z"}

    async def work(client: Client, app: Dogwatch) -> list[int]:
        counts: list[int] = []
        for body in (alerts(), alerts(over), alerts({"annotations": {}}), alerts(later)):
            await client.post("/hooks/alertmanager", content=body, headers=bearer())
            fires = await app._thread(app._store.pushed_alerts, clock.now(), app.settings.watch.alerts_stay)
            counts.append(len(fires))
        clock.move(app.settings.watch.alerts_stay)
        counts.append(
            len(await app._thread(app._store.pushed_alerts, clock.now(), app.settings.watch.alerts_stay))
        )
        return counts

    assert calling(settings_in(tmp_path), clock, work) == [1, 0, 0, 1, 0]


def test_health_is_told_without_a_store_and_readiness_only_with_a_fresh_round(tmp_path: Path) -> None:
    async def work(client: Client, app: Dogwatch) -> tuple[int, int, str]:
        ready = await client.get("/readyz")
        return (await client.get("/healthz")).status_code, ready.status_code, ready.json()["why"]

    assert calling(settings_in(tmp_path), JumpingClock(), work) == (200, 503, "no round ended yet")


def test_a_subscription_is_confirmed_at_amazon_only(tmp_path: Path) -> None:
    async def work(client: Client, app: Dogwatch) -> list[int]:
        found: list[int] = []
        for url in (
            "http://sns.eu.amazonaws.com/",
            "https://sns.evil.example/",
            "https://evil.amazonaws.com/",
            7,
        ):
            told = {"Type": "SubscriptionConfirmation", "TopicArn": TOPIC, "SubscribeURL": url}
            answer = await client.post(f"/hooks/sns/{SECRET}", content=json.dumps(told).encode())
            found.append(answer.status_code)
        return found

    assert calling(settings_in(tmp_path), JumpingClock(), work) == [400] * 4
