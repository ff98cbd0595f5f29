"""Amazon SQS: messages of a queue, read by long polling and deleted once they are written down.

Facts: the JSON protocol of SQS (docs.aws.amazon.com/AWSSimpleQueueService, "AWS JSON protocol"), signed by
Signature Version 4. A message that is not deleted comes again. Deleting is harmless twice, so both calls are
tried again like reads.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from dogwatch.errors import UnexpectedAnswer
from dogwatch.model.text import one_line
from dogwatch.wire.answer import Answer
from dogwatch.wire.connector import News
from dogwatch.wire.http import Doors, Pace
from dogwatch.wire.s3events import created
from dogwatch.wire.sigv4 import Keys, signed

_PACE = Pace(per_second=0, concurrency=1, tries=3, timeout=30.0, patience=60.0, largest=8 << 20)
_WAIT = 20
"""Seconds that SQS waits for a message, its most; waiting longer makes fewer calls that cost."""
_MOST = 10
"""Messages of one answer, and of one deletion."""


@dataclass(frozen=True, slots=True)
class Note:
    """A message of a queue."""

    body: str
    receipt: str = field(repr=False)


class _Message(BaseModel):
    Body: Annotated[str, Field(max_length=1 << 20)]
    ReceiptHandle: str


class _Received(BaseModel):
    Messages: list[_Message] = Field(default_factory=list[_Message])


_RECEIVED = TypeAdapter(_Received)


def usable_queue(url: str) -> str:
    """The URL of a queue. Raises ValueError for anything else."""
    told = urlsplit(url)
    if told.scheme not in {"http", "https"} or not told.netloc or not told.path.strip("/") or told.username:
        raise ValueError("is no URL of a queue: write https://sqs.<region>.amazonaws.com/<account>/<name>")
    return url


class Queue:
    """A door to one queue. Use within ``async with``."""

    def __init__(self, url: str, region: str, keys: Keys, doors: Doors) -> None:
        """Raises SettingsError if the URL is unusable."""
        told = urlsplit(url)
        self._url, self._region, self._keys, self._host = url, region, keys, told.netloc
        self._http = doors.open(f"{told.scheme}://{told.netloc}", login=None, pace=_PACE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def receive(self, now: datetime) -> list[Note]:
        """Up to ten messages; none after 20 s in which none came. Raises ConnectorError."""
        wanted = {"MaxNumberOfMessages": _MOST, "WaitTimeSeconds": _WAIT}
        answer = await self._ask("ReceiveMessage", wanted, now)
        try:
            found = _RECEIVED.validate_json(answer.content)
        except ValidationError:
            raise _strange(answer) from None
        return [Note(one.Body, one.ReceiptHandle) for one in found.Messages]

    async def delete(self, receipts: Sequence[str], now: datetime) -> None:
        """Forget these. Raises ConnectorError; what was not forgotten comes again."""
        for start in range(0, len(receipts), _MOST):
            some = receipts[start : start + _MOST]
            entries = [{"Id": str(number), "ReceiptHandle": one} for number, one in enumerate(some)]
            await self._ask("DeleteMessageBatch", {"Entries": entries}, now)

    async def _ask(self, verb: str, said: dict[str, Any], now: datetime) -> Answer:
        body = json.dumps({"QueueUrl": self._url, **said}).encode()
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{verb}"}
        at = now + (self._http.skew or timedelta(0))
        sent = signed(self._keys, self._region, self._host, "/", "", at, headers, "sqs", body)
        return await self._http.ask("/", body, headers=sent)


def _strange(answer: Answer) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"{answer.request} answered no messages of a queue", "check queue: something else answered there"
    )


def told_of(note: Note, bucket: str) -> News:
    """What a message says of new objects in a bucket, whether S3 wrote it or SNS passed it on."""
    try:
        told: Any = json.loads(note.body)
        found = created(told["Message"] if "TopicArn" in told else note.body)
    except (ValueError, TypeError, LookupError, RecursionError):
        return News("", "", note.receipt)
    ours = [one for one in found if one.bucket == bucket]
    if not ours:
        return News("", "", note.receipt)
    more = f" and {len(ours) - 1} more" if len(ours) > 1 else ""
    key = "/".join(sorted(f"{one.name}/{one.version}" for one in ours))
    return News(f"{bucket}/{key}", one_line(f"new object {bucket}/{ours[0].name}{more}", 200), note.receipt)
