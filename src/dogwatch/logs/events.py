"""Lines to events: headers read and taken off, traces folded, objects unpacked, bad lines kept and counted.

An event is what a program said once: usually a line, a line with its stack trace, or a JSON object.
"""

import re
from dataclasses import dataclass, field
from typing import cast

from dogwatch.errors import SettingsError
from dogwatch.logs.cloud import Columns, columns
from dogwatch.logs.fold import fold, has_trace
from dogwatch.logs.fold import heads as trace_heads
from dogwatch.logs.formats import PLAIN, TEXT_FORMATS, Format, level_of_header, recognise
from dogwatch.logs.objects import OBJECT_FORMATS, recognise_objects
from dogwatch.logs.read import Tally
from dogwatch.logs.times import seconds

FORMATS = (*OBJECT_FORMATS, *TEXT_FORMATS)
"""The names of all formats."""

_LONGEST_EVENT = 1 << 18
_LOOKS_AGAIN = 8
"""An event that goes on is looked at again when it grew by one in so many: to look at all of it with each new
block would take the square of their number."""
_HEAD = b"\x01"
_CONTAINERS = ("cri", "docker", "logentry")


@dataclass(slots=True)
class Batch:
    """Events in order of the file. A list has one item per event, or none if the format has no such thing."""

    messages: bytes = b""
    """The messages, one line each, without the last newline."""
    events: int = 0
    times: list[float | None] = field(default_factory=list[float | None])
    """Seconds since 1970."""
    levels: list[str] = field(default_factory=list[str])
    """In the log's own word, or an HTTP or syslog code made one; empty if it says nothing."""
    components: list[str] = field(default_factory=list[str])
    """Who spoke, in the log's own word."""
    lines: list[int] = field(default_factory=list[int])
    """Lines of the file per event; empty if it is one each."""


class Events:
    """Reads the events of one file. Where the file is cut into blocks makes no difference."""

    def __init__(self, now: float, tally: Tally, name: str | None = None, *, details: bool = True) -> None:
        """``now`` is in seconds since 1970. Without ``details`` only messages and lines are of interest.

        Raises SettingsError if there is no such format.
        """
        if name is not None and name not in FORMATS:
            raise SettingsError(f"there is no log format {name!r}", f"one of: {', '.join(FORMATS)}")
        self.format = name
        """The format that was asked for, or that the first block was found to have."""
        self._now = now
        self._tally = tally
        self._details = details
        self._header: re.Pattern[bytes] | None = None
        self._inner: Format | None = None
        self._rest: bytes | None = None
        """Lines of the last event so far."""
        self._unseen = bytearray()
        """What came after it that was not looked at yet."""

    def feed(self, block: bytes) -> Batch:
        """The events of a block of whole lines. The last one is kept back, because more of it may come."""
        if self.format is None:
            self.format = recognise_objects(block) or recognise(block).name
        if self.format in OBJECT_FORMATS:
            return self._open_inner(self._objects(block))
        lines = block.count(b"\n") + 1
        self._tally.lines += lines
        if self._rest is not None:
            if _LOOKS_AGAIN * (len(self._unseen) + len(block)) < len(self._rest):
                self._unseen += b"\n" + block
                return Batch()
            kept = self._kept_back()
            block, lines = kept + b"\n" + block, kept.count(b"\n") + 1 + lines
        return self._open_inner(self._lines(block, lines, last=False))

    def finish(self) -> Batch:
        """What was kept back."""
        if self._rest is None:
            return Batch()
        block = self._kept_back()
        return self._open_inner(self._lines(block, block.count(b"\n") + 1, last=True))

    def _kept_back(self) -> bytes:
        block = (self._rest or b"") + self._unseen
        self._unseen.clear()
        return block

    # ── text ───────────────────────────────────────────────────────────────────────────────────────────────

    def _lines(self, block: bytes, lines: int, *, last: bool) -> Batch:
        header = TEXT_FORMATS[self.format or PLAIN.name].header
        if header is None:
            marked, folded = block, has_trace(block)
        else:
            block = block.replace(_HEAD, b" ")
            marked, heads = header.subn(_HEAD, block)
            folded = heads != lines
        if folded:
            return self._folded(header, block, marked, last=last)
        self._rest = None
        if not last:
            block, newline, self._rest = block.rpartition(b"\n")
            lines -= 1
            if not newline:
                return Batch()
            marked = marked.rpartition(b"\n")[0] if header else block
        batch = Batch(marked.replace(_HEAD, b"") if header else marked, lines)
        if header is not None and self._details:
            self._read_headers(header, block.split(b"\n"), batch)
        return batch

    def _folded(self, header: re.Pattern[bytes] | None, block: bytes, marked: bytes, *, last: bool) -> Batch:
        """The same where some lines belong to the line above them."""
        lines = marked.split(b"\n")
        if header is None:
            heads = trace_heads(lines)
        else:
            heads = [i for i, line in enumerate(lines) if not i or line.startswith(_HEAD)]
        originals = block.split(b"\n")
        end, self._rest = len(lines), None
        if not last:
            rest = b"\n".join(originals[heads[-1] :])
            if len(rest) < _LONGEST_EVENT:
                end, self._rest = heads.pop(), rest
        if not heads:
            return Batch()
        counts = [after - at for at, after in zip(heads, [*heads[1:], end], strict=True)]
        lines = [line[1:] if line.startswith(_HEAD) else line for line in lines]
        messages = [
            lines[at] if n == 1 else fold(lines[at : at + n]) for at, n in zip(heads, counts, strict=True)
        ]
        batch = Batch(b"\n".join(messages), len(heads), lines=counts)
        if header is not None and self._details:
            self._read_headers(header, [originals[at] for at in heads], batch)
        return batch

    def _read_headers(self, header: re.Pattern[bytes], heads: list[bytes], batch: Batch) -> None:
        now = self._now
        for line in heads:
            match = header.match(line)
            part = match.groupdict() if match is not None else {}
            time = part.get("time")
            batch.times.append(seconds(time, now) if time else None)
            batch.levels.append(level_of_header(part))
            batch.components.append(_component(part))

    # ── objects ────────────────────────────────────────────────────────────────────────────────────────────

    def _objects(self, block: bytes) -> Batch:
        found = columns(block) if self.format == "logentry" else None
        if found is None or not self._one_each(block, found):
            self._tally.lines += block.count(b"\n") + 1
            return self._records(block)
        self._tally.lines += len(found.texts)
        batch = Batch(b"", len(found.texts), found.times, found.levels, found.components)
        if None in found.texts:
            lines = block.split(b"\n")
            for i in [i for i, text in enumerate(found.texts) if text is None]:
                [record] = OBJECT_FORMATS["logentry"](lines[i], self._tally)
                found.texts[i] = record.text.decode("utf-8", "replace")
                batch.times[i] = seconds(record.time, self._now) if record.time else None
                batch.levels[i], batch.components[i] = record.level, record.component
        texts = cast("list[str]", found.texts)
        joined = "\n".join(texts)
        if joined.count("\n") != len(texts) - 1:
            joined = "\n".join(_one_line(text) if "\n" in text else text for text in texts)
        batch.messages = joined.encode("utf-8", "replace")
        return batch

    def _one_each(self, block: bytes, found: Columns) -> bool:
        """Whether the entries are one per line. To count the lines of a block takes a tenth of all the time,
        so it is only done where somebody asks which line was which entry."""
        asked = not self._details or None in found.texts
        return not asked or block.count(b"\n") + 1 == len(found.texts)

    def _records(self, block: bytes) -> Batch:
        batch = Batch()
        messages: list[bytes] = []
        for record in OBJECT_FORMATS[self.format or ""](block, self._tally):
            messages.append(fold(record.text.split(b"\n")) if b"\n" in record.text else record.text)
            batch.times.append(seconds(record.time, self._now) if record.time else None)
            batch.levels.append(record.level)
            batch.components.append(record.component)
        batch.messages, batch.events = b"\n".join(messages), len(messages)
        return batch

    # ── a log in a log ─────────────────────────────────────────────────────────────────────────────────────

    def _open_inner(self, batch: Batch) -> Batch:
        """Containers write what a program wrote: take that header off too, if most messages have one."""
        if self.format not in _CONTAINERS or not batch.events:
            return batch
        if self._inner is None:
            self._inner = recognise(batch.messages)
        header = self._inner.header
        if header is None or self._inner.name in _CONTAINERS:
            return batch
        if self._details:
            for i, line in enumerate(batch.messages.split(b"\n")):
                match = header.match(line)
                if match is not None:
                    part = match.groupdict()
                    batch.levels[i] = level_of_header(part) or batch.levels[i]
                    batch.components[i] = _component(part) or batch.components[i]
        batch.messages = header.sub(b"", batch.messages)
        return batch


def _component(part: dict[str, bytes | None]) -> str:
    return (part.get("component") or b"").decode("utf-8", "replace")


def _one_line(text: str) -> str:
    return fold(text.encode("utf-8", "replace").split(b"\n")).decode("utf-8", "replace")
