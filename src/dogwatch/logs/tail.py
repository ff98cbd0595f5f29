"""A file that is still being written: each kind of message is told once, when it is first said."""

from collections.abc import Iterable, Iterator

from dogwatch.logs.book import Book, Entry
from dogwatch.logs.events import Events
from dogwatch.logs.page import fit
from dogwatch.logs.read import LONGEST_LINE, Tally, blocks
from dogwatch.logs.triage import many

_MARKS = {"INFO": "○", "WARNING": "◐", "ERROR": "●", "CRITICAL": "●"}


class Tail:
    """Remembers which templates were told."""

    def __init__(self, now: float, log_format: str | None) -> None:
        """``now`` is in seconds since 1970. Raises SettingsError if there is no such format."""
        self.tally = Tally()
        self._events = Events(now, self.tally, log_format)
        self._book = Book()
        self._told: set[int] = set()
        self._rest = b""

    def known(self, chunks: Iterable[bytes]) -> Iterator[str]:
        """Take what is in the file already, and say in one line what that is."""
        fresh = self._take(chunks, all_of_it=True)
        told = f"{many(self._book.events, 'event')} of {many(len(fresh), 'kind')} so far"
        yield f"{told}; waiting for new ones"

    def more(self, chunks: Iterable[bytes], width: int) -> Iterator[str]:
        """One line per kind of message that was not there before."""
        for entry in self._take(chunks):
            text = entry.samples[-1].text if entry.samples else entry.template.text
            head = f"{_MARKS[entry.severity]} {entry.severity:<8}  "
            yield head + fit(text, width - len(head))

    def _take(self, chunks: Iterable[bytes], *, all_of_it: bool = False) -> list[Entry]:
        """Count whole lines, and return the templates none of whose shapes was told yet.

        The last event waits until a call brings nothing more, because its stack trace may be on its way.
        """
        before, quiet = self._book.events, True
        for chunk in chunks:
            quiet = False
            data, newline, self._rest = (self._rest + chunk).rpartition(b"\n")
            if len(self._rest) > LONGEST_LINE:
                data, newline, self._rest = data + newline + self._rest, b"\n", b""
            if newline:
                for block in blocks([data], self.tally):
                    self._book.add(self._events.feed(block))
        if all_of_it or quiet:
            self._book.add(self._events.finish())
        if self._book.events == before:
            return []
        fresh = [entry for entry in self._book.entries() if not self._told.intersection(entry.leaves)]
        self._told.update(leaf for entry in fresh for leaf in entry.leaves)
        return fresh
