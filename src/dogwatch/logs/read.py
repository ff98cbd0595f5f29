"""Bytes to blocks of whole lines, unpacked, with what was wrong counted and never in the way.

Time and memory are bounded whatever comes in: a line is cut at ``LONGEST_LINE``, an archive that unpacks to
far more than a log could is left where that shows, one that ends early is read as far as it goes.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from dogwatch.errors import SettingsError

BLOCK = 1 << 18
"""Bytes that are read, unpacked and mined at a time."""

LONGEST_LINE = 1 << 18
"""Bytes of a line that are kept; what follows is dropped up to the next newline, and counted."""

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SUSPICIOUS_RATIO = 300
_SUSPICIOUS_SIZE = 64 << 20
_SAMPLES = 3
_SAMPLE_LENGTH = 200
_COLOURS = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(slots=True)
class Tally:
    """What was read and what was wrong with it."""

    lines: int = 0
    """Counted by who looks at them (``Events``)."""
    size: int = 0
    """Bytes after unpacking."""
    bad: Counter[str] = field(default_factory=Counter[str])
    """What was wrong, and how often."""
    samples: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """The beginnings of the first few bad lines of each sort."""

    def blame(self, what: str, line: bytes = b"", times: int = 1) -> None:
        """Note something bad, and keep the line if it is one of the first."""
        self.bad[what] += times
        kept = self.samples.setdefault(what, [])
        if line and len(kept) < _SAMPLES:
            kept.append(line[:_SAMPLE_LENGTH].decode("utf-8", "replace"))


def blocks(chunks: Iterable[bytes], tally: Tally) -> Iterator[bytes]:
    """Blocks of whole lines, without the last newline, of a file that may be packed with gzip or zstd.

    ``chunks`` are the bytes of the file in order, cut anywhere. Carriage returns before
    newlines and colour codes of terminals are taken out.
    Raises SettingsError if it is packed with zstd and the extra that unpacks it is not installed.
    """
    rest = b""
    dropping = False
    for data in _unpacked(chunks, tally):
        tally.size += len(data)
        if dropping:
            _, newline, data = data.partition(b"\n")
            dropping, data = not newline, newline + data
        end = data.rfind(b"\n")
        if end < 0:
            if data:
                rest, dropping = _cut(rest + data, tally)
            continue
        yield from _block(b"".join((rest, memoryview(data)[:end])), tally)
        rest, dropping = _cut(data[end + 1 :], tally)
    if rest:
        yield from _block(rest, tally)


def _cut(line: bytes, tally: Tally) -> tuple[bytes, bool]:
    """An unfinished line, and whether what follows of it is to be dropped."""
    if len(line) <= LONGEST_LINE:
        return line, False
    tally.blame("line too long", line)
    return line[:LONGEST_LINE], True


def _block(block: bytes, tally: Tally) -> Iterator[bytes]:
    if _has_long_line(block):
        block = _shorten(block, tally)
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").removesuffix(b"\r")
    if b"\x1b" in block:
        block = _COLOURS.sub(b"", block)
    yield block


def _has_long_line(block: bytes) -> bool:
    """Whether some half of the longest line allowed holds no newline; then a line may be too long."""
    half = LONGEST_LINE // 2
    return any(block.find(b"\n", at, at + half) < 0 for at in range(0, len(block) - half, half))


def _shorten(block: bytes, tally: Tally) -> bytes:
    lines = block.split(b"\n")
    for i, line in enumerate(lines):
        if len(line) > LONGEST_LINE:
            tally.blame("line too long", line)
            lines[i] = line[:LONGEST_LINE]
    return b"\n".join(lines)


class _Unpacker(Protocol):
    """One member of a packed file, unpacked bit by bit."""

    @property
    def eof(self) -> bool:
        """Whether the member is complete."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether everything that was given has been unpacked."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was given beyond the end of the member."""
        ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Take more, give at most so much."""
        ...


class _Gunzip:
    """zlib in the manner of the other unpackers."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


_Kind = tuple["type[_Unpacker]", type[Exception]]
"""How a packing is unpacked, and the error that means that it cannot."""


def _zstd() -> _Kind:
    try:
        from backports.zstd import ZstdDecompressor, ZstdError
    except ImportError as error:
        raise SettingsError(
            "this file is packed with zstd, which needs an extra", 'pip install "dogwatch[logs]"'
        ) from error
    return ZstdDecompressor, ZstdError


def _unpacked(chunks: Iterable[bytes], tally: Tally) -> Iterator[bytes]:
    stream = iter(chunks)
    head = b""
    for chunk in stream:
        head += chunk
        if len(head) >= len(_ZSTD):
            break
    if head.startswith(_GZIP):
        yield from _unpack(head, stream, tally, (_Gunzip, zlib.error))
    elif head.startswith(_ZSTD):
        yield from _unpack(head, stream, tally, _zstd())
    else:
        if head:
            yield head
        yield from stream


def _unpack(head: bytes, stream: Iterator[bytes], tally: Tally, kind: _Kind) -> Iterator[bytes]:
    """Unpack member after member. What cannot be unpacked ends it, with a note."""
    new, damaged = kind
    unpacker = new()
    taken, given = len(head), 0
    data: bytes | None = head
    while data is not None:
        try:
            out = unpacker.decompress(data, BLOCK)
        except damaged:
            tally.blame("archive damaged")
            return
        given += len(out)
        if given > _SUSPICIOUS_SIZE and given > _SUSPICIOUS_RATIO * taken:
            tally.blame("archive unpacks to far more than a log would")
            return
        if out:
            yield out
        data = b""
        if unpacker.eof:
            data, unpacker = unpacker.unused_data, new()
            if not data.strip(b"\0"):
                data = next(stream, None)
        elif unpacker.needs_input:
            data = next(stream, None)
            if data is None:
                tally.blame("archive ends early")
        taken += len(data or b"") if data is not None else 0
