"""An estate: the jobs, the components and what a user would have told dogwatch about them.

The format is a contract (docs/lab.md). An unknown word, a wrong type or a name that leads nowhere is a
LabError that names file, line and key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from dogwatch.errors import LabError
from dogwatch.lab.twin import platform_names
from dogwatch.lab.yamlfile import Entry, did_you_mean, read

ESTATES = Path(__file__).parent / "estates"
PLATFORMS = ("airbyte", "databricks", "github", "power_automate", "snowflake")
"""Platforms that run jobs; those with a twin are served, the others are simulated all the same."""
SIGNALS = ("cloud_logging", "gcs", "langfuse", "prometheus", "s3")
"""Platforms that run nothing, but tell logs or metrics."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
COMPONENT = "component/"
_KEY = re.compile(r"[^\s/]+")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job and its ordinary life."""

    job: str
    """``<platform>/<key>``."""
    name: str
    schedule: str | None = None
    """Five-field cron."""
    every: timedelta | None = None
    timezone: str = "UTC"
    after: tuple[str, ...] = ()
    """Real dependencies: it starts, or is skipped, because of them."""
    reads: tuple[str, ...] = ()
    """Data dependencies: it runs anyway."""
    duration: timedelta = timedelta(minutes=10)
    """Typical, before weekly factors."""
    spread: float = 0.1
    """Sigma of the log-normal duration."""
    weekly: tuple[float, ...] = (1.0,) * 7
    """Factors on duration and rows from Monday to Sunday."""
    rows: int = 0
    """Typical, before weekly factors."""
    retries: int = 0
    """How often the platform tries a failing run again."""
    owner: str | None = None

    @property
    def platform(self) -> str:
        """The part before the slash."""
        return self.job.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Component:
    """Something that writes logs and is measured, but is not a job."""

    name: str
    """``component/<name>``."""
    platform: str | None = None
    """Where its logs and metrics are found."""
    rate: float = 0.0
    """Lines per second."""
    templates: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    """Components that it calls."""


@dataclass(frozen=True, slots=True)
class ToldPipeline:
    """A pipeline as a user would declare it."""

    name: str
    jobs: tuple[str, ...]
    edges: tuple[tuple[str, str], ...] | None = None
    """None: found by dogwatch itself (``auto``)."""
    fresh_by: str | None = None
    """HH:MM in the estate's zone."""


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A time in which trouble with ``on`` is known and expected."""

    on: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What dogwatch's configuration declares; the rest it discovers or does without."""

    pipelines: tuple[ToldPipeline, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    holidays: tuple[date, ...] = ()
    muted: tuple[str, ...] = ()

    def plus(self, other: "Told") -> "Told":
        """Both."""
        return Told(
            self.pipelines + other.pipelines,
            self.maintenance + other.maintenance,
            self.holidays + other.holidays,
            self.muted + other.muted,
        )

    def moved(self, by: timedelta) -> "Told":
        """The same at another time; holidays by whole days."""
        windows = (
            replace(window, start=window.start + by, end=window.end + by) for window in self.maintenance
        )
        return replace(
            self,
            maintenance=tuple(windows),
            holidays=tuple(day + timedelta(days=by.days) for day in self.holidays),
        )


@dataclass(frozen=True, slots=True)
class Estate:
    """Everything that is simulated, and what was told of it."""

    id: str
    timezone: str
    jobs: Mapping[str, JobSpec]
    """In the order of the file."""
    components: Mapping[str, Component] = field(default_factory=dict[str, Component])
    told: Told = Told()

    @property
    def platforms(self) -> list[str]:
        """The platforms that have jobs here, or tell logs, metrics and changes; sorted."""
        told = {part.platform for part in self.components.values() if part.platform}
        told |= {"prometheus", "github"} if self.components else set()
        return sorted({job.platform for job in self.jobs.values()} | told)

    def consumers(self, job: str) -> list[str]:
        """The jobs that wait for it or read what it makes."""
        return [spec.job for spec in self.jobs.values() if job in spec.after or job in spec.reads]

    def find(self, entry: Entry, *, jobs: bool = True, platforms: bool = False, parts: bool = False) -> str:
        """The name in ``entry``, if it is a job, a platform or a component of this estate, as allowed."""
        name = entry.text()
        known: list[str] = [*self.jobs] if jobs else []
        known += self.platforms if platforms else []
        known += self.components if parts else []
        if name not in known:
            raise entry.wrong(f"{name!r:.80} is not in the estate {self.id!r}" + did_you_mean(name, known))
        return name


def shipped_estates() -> list[str]:
    """The names of the estates that come with dogwatch."""
    return sorted(path.stem for path in ESTATES.glob("*.yaml"))


def load_estate(where: str | Path) -> Estate:
    """A shipped estate by its name, or one from a file.

    Raises LabError that names file, line and key if the file is wrong, or the shipped names if there is none.
    """
    if isinstance(where, str) and where in shipped_estates():
        return parse_estate(read(ESTATES / f"{where}.yaml"))
    path = Path(where)
    if not path.is_file():
        shipped = shipped_estates()
        raise LabError(
            f"no estate {str(where)!r:.200}" + did_you_mean(str(where), shipped),
            "give the name of a shipped estate or the path of a file",
        )
    return parse_estate(read(path))


def parse_estate(root: Entry) -> Estate:
    """An estate from its file."""
    words = root.words(("id", "timezone", "jobs", "components", "told"), required=("id", "jobs"))
    timezone = words["timezone"].zone() if "timezone" in words else "UTC"
    jobs: dict[str, JobSpec] = {}
    entries = words["jobs"].mapping()
    for name, entry in entries.items():
        jobs[name] = _job(name, entry, timezone)
    if not jobs:
        raise words["jobs"].wrong("an estate needs at least one job")
    _check_links(jobs, entries)
    parts = _components(words["components"]) if "components" in words else {}
    estate = Estate(words["id"].text(), timezone, jobs, parts)
    return replace(estate, told=parse_told(words["told"], estate)) if "told" in words else estate


_JOB_WORDS = (
    "name", "schedule", "every", "timezone", "after", "reads", "duration", "spread", "weekly", "rows",
    "retries", "owner",
)  # fmt: skip


def _job(name: str, entry: Entry, timezone: str) -> JobSpec:
    platform, slash, key = name.partition("/")
    known = sorted({*PLATFORMS, *platform_names()} - set(SIGNALS))
    if platform not in known:
        raise entry.wrong(f"unknown platform {platform!r:.60}" + did_you_mean(platform, known))
    if not slash or not _KEY.fullmatch(key):
        raise entry.wrong("a job is named <platform>/<key>; the key has no blank and no slash")
    words = entry.words(_JOB_WORDS)
    schedule = words.get("schedule")
    if schedule is not None and schedule.text() == "none":
        schedule = None
    if schedule and "every" in words:
        raise words["every"].wrong("either schedule or every, not both")
    return JobSpec(
        job=name,
        name=words["name"].text() if "name" in words else key,
        schedule=schedule.cron() if schedule else None,
        every=_interval(words["every"]) if "every" in words else None,
        timezone=words["timezone"].zone() if "timezone" in words else timezone,
        after=_names(words.get("after")),
        reads=_names(words.get("reads")),
        duration=words["duration"].duration() if "duration" in words else timedelta(minutes=10),
        spread=words["spread"].number(0, 2) if "spread" in words else 0.1,
        weekly=_weekly(words["weekly"]) if "weekly" in words else (1.0,) * 7,
        rows=words["rows"].integer() if "rows" in words else 0,
        retries=words["retries"].integer(most=20) if "retries" in words else 0,
        owner=words["owner"].text() if "owner" in words else None,
    )


def _interval(entry: Entry) -> timedelta:
    every = entry.duration()
    if every < timedelta(minutes=1):
        raise entry.wrong("no platform starts a job more often than once a minute")
    return every


def _weekly(entry: Entry) -> tuple[float, ...]:
    factors = entry.mapping(WEEKDAYS)
    return tuple(factors[day].number(0.01, 100) if day in factors else 1.0 for day in WEEKDAYS)


def _names(entry: Entry | None) -> tuple[str, ...]:
    return () if entry is None else tuple(item.text() for item in entry.listing())


def _check_links(jobs: Mapping[str, JobSpec], entries: Mapping[str, Entry]) -> None:
    """Every job named in ``after`` and ``reads`` exists, and nothing waits for itself."""
    for name in jobs:
        words = entries[name].words(_JOB_WORDS)
        for word in ("after", "reads"):
            for item in words[word].listing() if word in words else ():
                if item.text() not in jobs:
                    raise item.wrong(f"no such job {item.text()!r:.80}" + did_you_mean(item.text(), jobs))
        if name in _upstream(name, jobs):
            raise words["after"].wrong(f"{name} waits for itself")


def _upstream(name: str, jobs: Mapping[str, JobSpec]) -> set[str]:
    found: set[str] = set()
    ahead = list(jobs[name].after)
    while ahead:
        job = ahead.pop()
        if job not in found and job in jobs:
            found.add(job)
            ahead += jobs[job].after
    return found


def _components(entry: Entry) -> dict[str, Component]:
    found: dict[str, Component] = {}
    for name, part in entry.mapping().items():
        if not name.startswith(COMPONENT) or not _KEY.fullmatch(name.removeprefix(COMPONENT)):
            raise part.wrong("a component is named component/<name>")
        words = part.words(("platform", "rate", "templates", "calls"))
        found[name] = Component(
            name,
            words["platform"].text() if "platform" in words else None,
            words["rate"].rate() if "rate" in words else 0.0,
            _names(words.get("templates")),
            _names(words.get("calls")),
        )
        for item in words["calls"].listing() if "calls" in words else ():
            if not item.text().startswith(COMPONENT):
                raise item.wrong("a component calls components: component/<name>")
    called = {name for part in found.values() for name in part.calls}
    return found | {name: Component(name) for name in sorted(called - found.keys())}


def parse_told(entry: Entry, estate: Estate) -> Told:
    """What dogwatch's configuration declares of an estate. Raises LabError."""
    words = entry.words(("pipelines", "maintenance", "holidays", "muted"))

    def items(word: str) -> list[Entry]:
        return words[word].items() if word in words else []

    return Told(
        pipelines=tuple(_pipeline(item, estate) for item in items("pipelines")),
        maintenance=tuple(_maintenance(item, estate) for item in items("maintenance")),
        holidays=tuple(item.date() for item in items("holidays")),
        muted=tuple(estate.find(item, parts=True) for item in items("muted")),
    )


def _pipeline(entry: Entry, estate: Estate) -> ToldPipeline:
    words = entry.words(("name", "jobs", "edges", "fresh_by"), required=("name", "jobs"))
    edges, fresh_by = words.get("edges"), words.get("fresh_by")
    if fresh_by and not _CLOCK.fullmatch(fresh_by.text()):
        raise fresh_by.wrong('expected a time of day such as "06:00"')
    return ToldPipeline(
        name=words["name"].text(),
        jobs=tuple(estate.find(item, parts=True) for item in words["jobs"].items()),
        edges=_edges(edges, estate) if edges else None,
        fresh_by=fresh_by.text() if fresh_by else None,
    )


def _edges(entry: Entry, estate: Estate) -> tuple[tuple[str, str], ...] | None:
    if entry.node.id == "scalar":
        entry.choice(("auto",))
        return None
    pairs: list[tuple[str, str]] = []
    for item in entry.items():
        ends: list[str] = [estate.find(end, parts=True) for end in item.items()]
        if len(ends) != 2:
            raise item.wrong("an edge is a pair: [from, to]")
        first, second = ends
        pairs.append((first, second))
    return tuple(pairs)


def _maintenance(entry: Entry, estate: Estate) -> Maintenance:
    words = entry.words(("on", "from", "to"), required=("on", "from", "to"))
    on = estate.find(words["on"], platforms=True, parts=True)
    start, end = words["from"].time(), words["to"].time()
    if end <= start:
        raise words["to"].wrong("it ends before it begins")
    return Maintenance(on, start, end)
