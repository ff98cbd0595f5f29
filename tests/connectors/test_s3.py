"""What is peculiar to S3: XML, signatures, regions, sleeping objects."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.responses import Response

from dogwatch.connectors.s3 import S3, S3Settings
from dogwatch.errors import AuthError, ConnectorError, UnexpectedAnswer
from dogwatch.wire.connector import LogAsk
from dogwatch.wire.http import Doors
from support.clock import NOON, JumpingClock
from support.stage import Call, Host, Stage, hosting
from support.worlds import world

KIND = "s3"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with hosting() as hosted:
        yield hosted


def stage(host: Host, answer: Callable[[Call], Response | None] = lambda call: None) -> Stage:
    clock = JumpingClock()
    staged = Stage(KIND, world(KIND, [], clock=clock), clock, host)
    staged.way.answer = answer
    return staged


def listing(*parts: str) -> Response:
    return Response(
        f'<?xml version="1.0"?><ListBucketResult>{"".join(parts)}</ListBucketResult>',
        media_type="application/xml",
    )


def content(name: str, size: int = 3, storage: str = "STANDARD") -> str:
    return (
        f"<Contents><Key>{name}</Key><ETag>&quot;e&quot;</ETag><Size>{size}</Size>"
        f"<StorageClass>{storage}</StorageClass></Contents>"
    )


async def check(connector: Any) -> str:
    return await connector.check()  # type: ignore[no-any-return]  # any connector


def refused(body: str, status: int) -> Callable[[Call], Response | None]:
    return lambda call: Response(body, status, media_type="application/xml")


@pytest.mark.parametrize(
    ("code", "status"),
    [("InvalidAccessKeyId", 403), ("SignatureDoesNotMatch", 403), ("ExpiredToken", 400)],
)
def test_keys_that_are_wrong_or_over_are_told_as_such(host: Host, code: str, status: int) -> None:
    body = f"<Error><Code>{code}</Code><Message>The key &lt;x&gt; is no good</Message></Error>"
    with pytest.raises(AuthError) as caught:
        stage(host, refused(body, status)).does(check)
    assert f"{code}: The key <x> is no good" in caught.value.message
    assert "renew" in caught.value.hint


def test_a_missing_permission_is_another_thing_than_wrong_keys(host: Host) -> None:
    body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    with pytest.raises(AuthError) as caught:
        stage(host, refused(body, 403)).does(check)
    assert "permission" in caught.value.hint


def test_the_wrong_region_is_told_with_the_setting_that_mends_it(host: Host) -> None:
    staged = stage(host)
    settings = staged.settings().model_copy(update={"region": "us-west-2"})

    async def asked() -> str:
        connector = S3(KIND, settings, Doors(staged.clock))
        try:
            return await connector.check()
        finally:
            await connector.aclose()

    with pytest.raises(UnexpectedAnswer) as caught:
        asyncio.run(asked())
    assert "expecting 'eu-central-1'" in caught.value.message
    assert "region" in caught.value.hint


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><ListBucketResult>&b;</ListBucketResult>',
        "<ListBucketResult><Contents><Key>x</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>x</Key>",
        "<html><body>Sign in</body></html>",
        "no XML at all",
        "",
    ],
)
def test_what_is_no_listing_is_refused_without_a_trace_of_it(host: Host, body: str) -> None:
    with pytest.raises(UnexpectedAnswer) as caught:
        stage(host, refused(body, 200)).does(check)
    assert "no listing of a bucket" in caught.value.message
    assert caught.value.__context__ is None


def test_sleeping_objects_are_left_out_and_that_is_said(host: Host) -> None:
    def answer(call: Call) -> Response | None:
        if "prefix" in call.query and "2026%2F03%2F03" in call.query:
            return listing(content("a%20b+c"), content("old", storage="GLACIER"))
        if "prefix" in call.query:
            return listing()
        return Response(b"a\nb", 206, {"Content-Range": "bytes 0-2/3"}) if "a%20b%20c" in call.path else None

    staged = stage(host, answer)
    staged.way.answer = lambda call: answer(
        Call(call.method, call.path.replace(" ", "%20"), call.query, call.headers, call.body)
    )

    async def read(connector: Any) -> tuple[list[str], list[str]]:
        assert isinstance(connector, S3)
        names = [part.name async for part in connector.logs(LogAsk(NOON, "", NOON - timedelta(hours=1)))]
        return names, list(await connector.caveats())

    names, caveats = staged.does(read)
    assert [name for name in names if name] == ["a b c", "a b c"]
    assert caveats == ["1 objects of these days are archived (Glacier) and were not read."]


def test_pages_that_go_round_in_circles_come_to_an_end(host: Host) -> None:
    more = "<NextContinuationToken>again</NextContinuationToken>"
    staged = stage(host, lambda call: listing(more))

    async def found(connector: Any) -> Any:
        return await connector.find("x")

    with pytest.raises(ConnectorError):
        staged.does(found)
    assert len(staged.way.calls) == 2


def test_half_a_pair_of_keys_is_refused() -> None:
    with pytest.raises(ValidationError, match="belong together"):
        S3Settings.model_validate({"bucket": "b", "access_key_id": "x"})


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"bucket": "logs"}, "https://logs.s3.us-east-1.amazonaws.com/k"),
        ({"bucket": "my.logs", "region": "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com/my.logs/k"),
        ({"bucket": "logs", "url": "https://minio.example.com/s3/"}, "https://minio.example.com/s3/logs/k"),
    ],
)
def test_a_bucket_is_where_amazon_and_others_put_it(given: dict[str, str], url: str) -> None:
    connector = S3(KIND, S3Settings.model_validate(given), Doors(JumpingClock()))
    assert f"{connector._base}{connector._path}/k" == url
    asyncio.run(connector.aclose())
