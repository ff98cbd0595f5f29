"""What a connector is, and the abilities it may have. Connectors know these and nothing of each other."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from pydantic import ConfigDict

from dogwatch.model import Alert, Change, Job, MetricSeries, Run
from dogwatch.model.described import Described
from dogwatch.wire.http import Doors, Http
from dogwatch.wire.unread import Backlog, Object


class ConnectorSettings(Described):
    """Base of every connector's settings: one model beside the connector, documented field by field.

    A field of type ``SecretStr`` comes from the environment or ``.env`` only. The docstring under a field
    becomes the comment that ``dogwatch init`` writes. ``json_schema_extra={"environment": "NAME"}`` lets a
    field be filled from a variable that some other program sets (a CI runner, say); with ``"written": True``
    it is still one that users have to fill in elsewhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


S = TypeVar("S", bound=ConnectorSettings)


@dataclass(frozen=True, slots=True)
class Ask:
    """What one round wants to know of a platform's runs."""

    now: datetime
    """The round's time; becomes ``observed_at``."""
    since: datetime
    """Runs created at or after this are wanted (the overlap for late changes is already in it)."""
    details_since: datetime
    """A failed run older than this needs no extra request for its error text."""
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    """Job names by job id, as last known."""
    known: Mapping[str, Run] = field(default_factory=dict[str, Run])
    """By native run id: the newest stored attempt of runs that are open, failed or cancelled. An open one
    has to be asked again by id if the listing does not hold it; a failed one that did not change since
    needs no details."""
    learning: bool = False
    """True as long as the platform was never read whole: what is known of it is chance."""
    broken: frozenset[str] = frozenset()
    """Job ids whose newest settled run, as stored, did not do its work: where a repair would matter."""
    previous: datetime | None = None
    """When the platform was last read whole; None if it never was."""
    resume: str = ""
    """What the connector told of itself then, if it ``LooksInTurn``."""
    urgent: bool = False
    """True if something happened there, or was done there, that this round has to see: then nothing is left
    for a later one."""


class Connector(ABC, Generic[S]):
    """Reads one platform. One file, one platform; abilities are found by isinstance."""

    Settings: ClassVar[type[ConnectorSettings]]
    title: ClassVar[str]
    """The platform's name for people."""
    overlap: ClassVar[timedelta] = timedelta(minutes=15)
    """How far before the watermark a round reads again, for records that the platform shows late."""

    def __init__(self, name: str, settings: S, doors: Doors) -> None:
        """``name`` is the key in dogwatch.yaml and becomes ``Run.instance``."""
        self.name = name
        self.settings = settings
        self.doors = doors

    @property
    @abstractmethod
    def http(self) -> Http:
        """The door to the platform."""

    @abstractmethod
    async def check(self) -> str:
        """One line for ``dogwatch doctor`` that says what can be read, or raise a ConnectorError."""

    async def aclose(self) -> None:
        """Give the connections back."""
        await self.http.aclose()


@runtime_checkable
class HasRuns(Protocol):
    """Can list runs."""

    def runs(self, ask: Ask) -> AsyncIterator[Sequence[Run]]:
        """Batches of runs in any order, repeats allowed.

        All created since ``ask.since``, and all open ones in ``ask.known`` whatever their age. Of a page
        with a bad record the good ones are yielded before the error is raised.
        """
        ...


@runtime_checkable
class LooksInTurn(Protocol):
    """Looks some things up in turn, a part in each round."""

    resume: str
    """After ``runs`` has come to its end: where the next round goes on, in its own words."""


@runtime_checkable
class HasJobs(Protocol):
    """Can list jobs with their names, schedules and states."""

    async def jobs(self, now: datetime) -> Sequence[Job]:
        """All jobs that are not deleted."""
        ...


@runtime_checkable
class HasCaveats(Protocol):
    """Knows what its platform cannot show."""

    async def caveats(self) -> Sequence[str]:
        """One sentence for each thing that cannot be seen here, for the board and the docs."""
        ...


@runtime_checkable
class HasMetrics(Protocol):
    """Can tell how metrics developed."""

    async def query(self, start: datetime, end: datetime, step: timedelta) -> Sequence[MetricSeries]:
        """All series that are watched, with a sample every ``step`` in [start, end] where there is one."""
        ...


@runtime_checkable
class HasAlerts(Protocol):
    """Has alerts of its own."""

    async def alerts(self, now: datetime) -> Sequence[Alert]:
        """The alerts that fire now."""
        ...


@runtime_checkable
class HasChanges(Protocol):
    """Knows what people or their pipelines changed."""

    def changes(self, since: datetime, now: datetime) -> AsyncIterator[Sequence[Change]]:
        """Batches of changes that took effect since then, in any order, repeats allowed."""
        ...


@dataclass(frozen=True, slots=True)
class LogAsk:
    """What one round wants to know of a log."""

    now: datetime
    cursor: str = ""
    """What ``LogPart.cursor`` told last, if it was remembered; empty if nothing was read yet."""
    since: datetime | None = None
    """Where to begin if nothing was read yet; None: where the connector begins by itself."""


@dataclass(frozen=True, slots=True)
class LogPart:
    """Some bytes of a log. The parts of one file come one after the other."""

    name: str
    """The file, object or window. If another name follows before there was a cursor, the file was given up:
    what came of it must not count, and it will come again."""
    data: bytes
    """As in the file: packed or not, lines cut anywhere."""
    cursor: Callable[[], str] | None = None
    """With the last part of a file: where to go on once all that came so far has been recorded. Bounded
    text that only the connector understands."""


@runtime_checkable
class HasLogs(Protocol):
    """Can tell what components write into their logs. After ``overlap`` nearly all of a time is there."""

    def logs(self, ask: LogAsk) -> AsyncIterator[LogPart]:
        """What was not read yet: every line once, whenever it came, those before ``cursor`` never again.

        What came before an error is good as far as the last cursor.
        """
        ...


@runtime_checkable
class HasFiles(Protocol):
    """Keeps files (objects of a bucket) whose names somebody may say."""

    async def find(self, prefix: str) -> Sequence[Object]:
        """All whose names begin so, in any order."""
        ...

    def read(self, one: Object) -> AsyncIterator[bytes]:
        """The bytes of one, cut anywhere; nothing if it is gone."""
        ...


@runtime_checkable
class HasBacklog(Protocol):
    """Keeps its log in objects of a bucket, which many may read at once."""

    async def backlog(self, ask: LogAsk) -> Backlog:
        """The objects that ``logs`` would read."""
        ...

    async def find(self, prefix: str) -> Sequence[Object]:
        """See ``HasFiles.find``."""
        ...

    def read(self, one: Object) -> AsyncIterator[bytes]:
        """See ``HasFiles.read``."""
        ...


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened there, as a queue tells it."""

    key: str
    """The same event always has the same one. Empty: it is none of ours."""
    says: str
    receipt: str = field(repr=False)
    """What the queue wants to see to forget it."""


@runtime_checkable
class HasNews(Protocol):
    """May have a queue that tells what happened, so that nobody has to look all the time: where its settings
    have one under ``queue``."""

    async def news(self) -> Sequence[News]:
        """Wait up to half a minute for something. What is not forgotten is told again."""
        ...

    async def forget(self, news: Sequence[News]) -> None:
        """Let the queue forget what is written down."""
        ...


AnyConnector = Connector[Any]
