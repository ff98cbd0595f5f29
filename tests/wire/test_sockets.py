"""The door on real sockets: silence, cuts, drips, floods and bombs."""

import asyncio
import gzip
import random
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dogwatch.errors import ConnectorError, UnexpectedAnswer, Unreachable
from dogwatch.wire.clock import SystemClock
from dogwatch.wire.http import Doors, Http, Pace
from support.clock import NOON, JumpingClock
from support.rawserver import Handler, answering, http_answer, raw_server, read_request

T = TypeVar("T")

QUICK = Pace(per_second=0, tries=2, timeout=2.0, patience=10.0, largest=2**20)
IMPATIENT = replace(QUICK, timeout=0.15)


def meet(
    handler: Handler,
    work: Callable[[Http], Awaitable[T]],
    *,
    pace: Pace = QUICK,
) -> T:
    """Do ``work`` through a door that leads to a server of ``handler``."""

    async def both() -> T:
        async with raw_server(handler) as base:
            http = Doors(JumpingClock(), rng=random.Random(7)).open(base, login=None, pace=pace)
            try:
                return await work(http)
            finally:
                await http.aclose()

    return asyncio.run(both())


async def get(http: Http) -> bytes:
    return (await http.get("jobs")).content


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the request and never answer."""
    await read_request(reader)
    await reader.read()


def test_a_good_answer_comes_through_a_socket() -> None:
    assert meet(answering(http_answer(b'{"a": 1}')), get) == b'{"a": 1}'


def test_a_hang_is_unreachable_within_the_timeout() -> None:
    with pytest.raises(Unreachable, match=r"GET /jobs: no answer within 0.15 s"):
        meet(silence, get, pace=IMPATIENT)


def test_one_hang_does_not_spoil_the_next_try() -> None:
    calls: list[int] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(1)
        await (silence if len(calls) == 1 else answering(http_answer(b"{}")))(reader, writer)

    assert meet(handle, get, pace=replace(QUICK, timeout=0.4)) == b"{}"


def test_a_body_shorter_than_announced_is_cut_off() -> None:
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"jobs": [1, 2'
    with pytest.raises(Unreachable, match="cut off"):
        meet(answering(answer), get)


def test_a_chunked_body_without_its_end_is_cut_off() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"
    with pytest.raises(Unreachable, match="cut off"):
        meet(answering(answer), get)


def test_a_body_that_is_cut_once_is_read_the_second_time() -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"
    assert meet(answering(cut, http_answer(b"{}")), get) == b"{}"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"nonsense\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 two OK\r\n\r\n",
        b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: rot13\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nX-Bad: a\x00b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: \xff\xfe=\x80\r\nX-\xe9: 1\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_bytes_that_are_no_http_are_our_error(answer: bytes) -> None:
    with pytest.raises((Unreachable, UnexpectedAnswer)):
        meet(answering(answer), lambda http: http.get("jobs"))


def test_a_status_below_200_without_end_is_unreachable() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
            await writer.drain()

    with pytest.raises(Unreachable, match=r"not done within 0.3 s"):
        meet(flood, get, pace=Pace(per_second=0, tries=1, timeout=5, patience=0.3))


def test_a_slow_drip_ends_with_our_patience() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    with pytest.raises(Unreachable, match=r"not done within 0.3 s"):
        meet(drip, get, pace=Pace(per_second=0, tries=5, timeout=5, patience=0.3))


def test_a_refused_connection_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    async def call() -> None:
        way = Doors(JumpingClock(), rng=random.Random(7))
        http = way.open(f"http://127.0.0.1:{port}", login=None, pace=QUICK)
        await http.get("jobs")

    with pytest.raises(Unreachable, match=r"cannot connect to 127.0.0.1") as caught:
        asyncio.run(call())
    assert caught.value.status is None


def test_a_host_that_does_not_exist_is_named() -> None:
    async def call() -> None:
        way = Doors(JumpingClock(), rng=random.Random(7))
        await way.open("http://platform.invalid", login=None, pace=QUICK).get("jobs")

    with pytest.raises(Unreachable, match=r"cannot connect to platform.invalid") as caught:
        asyncio.run(call())
    assert "no such host" in caught.value.hint


def test_a_server_that_speaks_no_tls_is_unreachable() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async def both() -> None:
        async with raw_server(plain) as base:
            way = Doors(JumpingClock(), rng=random.Random(7))
            await way.open(base.replace("http:", "https:"), login=None, pace=QUICK).get("jobs")

    with pytest.raises(Unreachable, match=r"cannot connect to 127.0.0.1") as caught:
        asyncio.run(both())
    assert "no TLS" in caught.value.hint


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, NOON, NOON + timedelta(days=9999))
    certificate = made.sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_a_certificate_that_nobody_vouches_for_is_told_as_such(tmp_path: Path) -> None:
    async def both() -> None:
        async with raw_server(answering(http_answer(b"{}")), tls=self_signed(tmp_path)) as base:
            way = Doors(JumpingClock(), rng=random.Random(7))
            await way.open(base, login=None, pace=QUICK).get("jobs")

    with pytest.raises(Unreachable, match=r"cannot connect to 127.0.0.1") as caught:
        asyncio.run(both())
    assert "certificate is not trusted" in caught.value.hint


def test_a_connection_that_the_platform_closed_meanwhile_is_replaced() -> None:
    keep = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

    async def twice(http: Http) -> int:
        await http.get("jobs")
        await asyncio.sleep(0)
        await http.get("jobs")
        return http.requests

    assert meet(answering(keep), twice) in {2, 3}


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_body_is_decompressed(coding: str) -> None:
    packed = gzip.compress(b'{"a": 1}') if coding == "gzip" else zlib.compress(b'{"a": 1}')
    answer = http_answer(packed, b"Content-Encoding: " + coding.encode())
    assert meet(answering(answer), get) == b'{"a": 1}'


def test_a_body_that_cannot_be_decompressed_is_told() -> None:
    with pytest.raises(UnexpectedAnswer, match="decompressed"):
        meet(answering(http_answer(b"not gzip at all", b"Content-Encoding: gzip")), get)


def test_a_coding_we_never_asked_for_is_not_decoded() -> None:
    assert meet(answering(http_answer(b"\x01", b"Content-Encoding: rot13")), get) == b"\x01"


@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
def test_a_compressed_bomb_is_not_unpacked(coding: bytes) -> None:
    squeeze = zlib.compressobj(9, wbits=31 if coding == b"gzip" else 15)
    bomb = b"".join(squeeze.compress(bytes(2**20)) for _ in range(50)) + squeeze.flush()
    assert len(bomb) < 60_000
    with pytest.raises(UnexpectedAnswer, match="more than 1 MB"):
        meet(answering(http_answer(bomb, b"Content-Encoding: " + coding)), get)


def test_a_body_compressed_more_than_once_is_refused_unread() -> None:
    packed = gzip.compress(gzip.compress(b"{}"))
    with pytest.raises(UnexpectedAnswer, match="more than once"):
        meet(answering(http_answer(packed, b"Content-Encoding: gzip, gzip")), get)


def test_a_body_announced_as_too_large_is_refused_unread() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    with pytest.raises(UnexpectedAnswer, match="more than 1 MB"):
        meet(answering(answer), get)


@pytest.mark.parametrize("size", [1, 65_536])
def test_a_body_without_end_is_refused_at_the_bound(size: int) -> None:
    sent: list[int] = []

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        block = (b"%x\r\n" % size + b"x" * size + b"\r\n") * max(1, 10_000 // size)
        while True:
            writer.write(block)
            await writer.drain()
            sent.append(len(block))

    bound = Pace(per_second=0, tries=1, timeout=5, patience=20, largest=2**17)
    with pytest.raises(UnexpectedAnswer, match=r"more than 0.125 MB"):
        meet(flood, get, pace=bound)
    assert sum(sent) < 2**24


def test_a_body_as_large_as_the_bound_is_read() -> None:
    body = b"x" * 2**20
    assert len(meet(answering(http_answer(body)), get)) == 2**20


def test_an_error_answer_is_bounded_too() -> None:
    with pytest.raises(UnexpectedAnswer, match="more than 1 MB"):
        meet(answering(http_answer(b"x" * (2**20 + 1), status=b"500 Oops")), get)


def test_requests_under_way_are_bounded() -> None:
    under_way, most = [0], [0]
    three = asyncio.Barrier(3)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        await three.wait()
        under_way[0] -= 1
        writer.write(http_answer(b"{}"))
        await writer.drain()

    async def many(http: Http) -> None:
        await asyncio.gather(*(http.get("jobs") for _ in range(12)))

    meet(handle, many, pace=Pace(per_second=0, concurrency=3, timeout=5))
    assert most[0] == 3


def test_random_bytes_never_raise_anything_foreign() -> None:
    rng = random.Random(11)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Tue, 03 Mar 2026 12:00:00 GMT\r\n"
    whole = head + b"Content-Encoding: gzip\r\nContent-Length: 40\r\n\r\n" + gzip.compress(b'{"a": 1}' * 9)

    def spoilt() -> bytes:
        data = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data[: rng.randrange(len(data))] if rng.random() < 0.3 else data)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await read_request(reader):
            writer.write(spoilt())
            await writer.drain()

    async def many(http: Http) -> int:
        failures = 0
        for _ in range(300):
            try:
                await http.get("jobs")
            except ConnectorError:
                failures += 1
        return failures

    assert meet(handle, many, pace=Pace(per_second=0, tries=1, timeout=1)) > 0


def test_the_systems_clock_waits_for_real() -> None:
    async def wait() -> float:
        clock = SystemClock()
        before = clock.now()
        await clock.sleep(0.01)
        assert before.tzinfo is not None
        return (clock.now() - before).total_seconds()

    assert asyncio.run(wait()) > 0
