"""What Amazon S3 says of new objects, wherever it says so: to SNS, to SQS, or through one to the other.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

import json
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote_plus


@dataclass(frozen=True, slots=True)
class Created:
    """An object that is new."""

    bucket: str
    name: str
    version: str
    """Another one for each time it was written, as far as S3 tells."""


def created(message: Any) -> list[Created]:
    """The objects that were made, by the event that S3 writes as JSON. Raises ValueError for anything else.

    A test message, which S3 sends when notifications are set up, tells of none.
    """
    try:
        told: Any = json.loads(message)
        if told.get("Event") == "s3:TestEvent":
            return []
        records = cast("list[Any]", told["Records"])
        made = [one for one in records if str(one.get("eventName", "")).startswith("ObjectCreated:")]
        return [_created(one["s3"]) for one in made]
    except (TypeError, ValueError, AttributeError, LookupError, RecursionError):
        raise ValueError("the message is no event of S3") from None


def _created(told: Any) -> Created:
    one = told["object"]
    version = one.get("sequencer") or one.get("versionId") or one.get("eTag") or ""
    return Created(str(told["bucket"]["name"]), unquote_plus(str(one["key"])), str(version))
