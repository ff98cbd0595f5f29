"""New objects of S3 by SNS and SQS, as moto plays them: told once, forgotten once they are written down."""

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dogwatch.app import Dogwatch
from dogwatch.engine.queues import Queues
from dogwatch.model.call import WaitingCall
from dogwatch.settings import Settings, load
from dogwatch.wire.sigv4 import Keys, signed
from support.clock import NOON, JumpingClock
from support.node import missing
from support.ports import free_port
from support.programs import running

pytestmark = pytest.mark.real
KEYS = {"aws_access_key_id": "AKIAMOTO", "aws_secret_access_key": "moto-takes-any-key"}
BUCKET = "acme-logs"


@pytest.fixture(scope="module")
def amazon(require_real: bool) -> Iterator[str]:
    """Where moto answers."""
    program = shutil.which("moto_server", path=str(Path(sys.executable).parent))
    if program is None:
        missing("moto_server is missing: uv sync --group real", require_real)
    port = free_port()
    with running("moto", [program, "-H", "127.0.0.1", "-p", str(port)], "Running on"):
        yield f"http://127.0.0.1:{port}"


def client(amazon: str, service: str) -> Any:
    """Amazon's own client."""
    return import_module("boto3").client(service, endpoint_url=amazon, region_name="eu-central-1", **KEYS)


@pytest.fixture
def queue(amazon: str) -> str:
    """A bucket that tells a topic, which tells a queue; the queue's URL."""
    httpx2.post(f"{amazon}/moto-api/reset")
    s3, sns, sqs = (client(amazon, service) for service in ("s3", "sns", "sqs"))
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    topic = sns.create_topic(Name="logs")["TopicArn"]
    url: str = sqs.create_queue(QueueName="dogwatch", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    told = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=told)
    return url


def settings(folder: Path, amazon: str, queue: str) -> Settings:
    """What a user would have configured."""
    text = f"connectors:\n  s3: {{bucket: {BUCKET}, region: eu-central-1, url: {amazon}, queue: {queue}}}\n"
    (folder / "dogwatch.yaml").write_text(text, encoding="utf-8")
    environ = {f"DOGWATCH_S3_{key.removeprefix('aws_').upper()}": value for key, value in KEYS.items()}
    return load(folder / "dogwatch.yaml", environ, folder)


def heard(found: Settings) -> tuple[int, list[WaitingCall]]:
    """What one look at the queue finds new, and all that waits for a round."""

    async def life() -> tuple[int, list[WaitingCall]]:
        async with Dogwatch(found, clock=JumpingClock()) as app:
            return await app.news("s3"), await app.watchkeeping().waiting()

    return asyncio.run(life())


def left(amazon: str, queue: str) -> int:
    """How many messages the queue still has."""
    names = ["ApproximateNumberOfMessages"]
    told = client(amazon, "sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)
    return int(told["Attributes"][names[0]])


def test_new_objects_start_a_round_of_their_bucket_once(amazon: str, queue: str, tmp_path: Path) -> None:
    found, s3, sqs = settings(tmp_path, amazon, queue), client(amazon, "s3"), client(amazon, "sqs")
    s3.put_object(Bucket=BUCKET, Key="firehose/2026/11/21/a b.log", Body=b"x")
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["Type"] == "Notification"
    new, waiting = heard(found)
    assert new == 1
    assert [(one.hook, one.touches) for one in waiting] == [("queue", ("s3",))]
    assert waiting[0].says == "new object acme-logs/firehose/2026/11/21/a b.log"
    assert left(amazon, queue) == 0
    sqs.send_message(QueueUrl=queue, MessageBody=message["Body"])  # as a queue that tells everything twice
    assert heard(found) == (0, waiting)


def test_what_is_none_of_ours_is_forgotten_and_starts_nothing(
    amazon: str, queue: str, tmp_path: Path
) -> None:
    record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "other"}, "object": {"key": "a"}}}
    for body in ("{", "[]", '{"Event": "s3:TestEvent"}', json.dumps({"Records": [record]}), "\u202e"):
        client(amazon, "sqs").send_message(QueueUrl=queue, MessageBody=body)
    assert heard(settings(tmp_path, amazon, queue)) == (0, [])
    assert left(amazon, queue) == 0


def test_the_watch_hears_of_an_object_while_it_does_other_things(
    amazon: str, queue: str, tmp_path: Path
) -> None:
    found, told = settings(tmp_path, amazon, queue), asyncio.Event()

    def say(event: str, /, **fields: object) -> None:
        assert (event, fields) == ("queue told", {"connector": "s3", "new": 1})
        told.set()

    async def life() -> list[str]:
        async with Dogwatch(found, clock=JumpingClock()) as app:
            queues = Queues(app, app.watchkeeping().queues(), JumpingClock(), say)
            queues.follow()
            client(amazon, "s3").put_object(Bucket=BUCKET, Key="new.log", Body=b"x")
            async with asyncio.timeout(20):
                await told.wait()
            queues.follow()
            await queues.stop()
            return [one.says for one in await app.watchkeeping().waiting()]

    assert asyncio.run(life()) == ["new object acme-logs/new.log"]


def test_a_request_with_a_body_is_signed_as_amazon_signs_it() -> None:
    auth, requests = import_module("botocore.auth"), import_module("botocore.awsrequest")
    credentials = import_module("botocore.credentials").Credentials("AKIAMOTO", "hush", "a session")
    body, url = b'{"QueueUrl": "x"}', "https://sqs.eu-central-1.amazonaws.com/"
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.ReceiveMessage"}
    keys, host = Keys("AKIAMOTO", "hush", "a session"), "sqs.eu-central-1.amazonaws.com"
    sent = signed(keys, "eu-central-1", host, "/", "", NOON, headers, "sqs", body)
    said = sent.pop("Authorization")
    theirs = auth.SigV4Auth(credentials, "sqs", "eu-central-1")
    request = requests.AWSRequest("POST", url, headers=sent, data=body)
    request.context["timestamp"] = sent["x-amz-date"]
    text = theirs.string_to_sign(request, theirs.canonical_request(request))
    assert said.endswith(f"Signature={theirs.signature(text, request)}")
