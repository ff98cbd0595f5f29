"""What is deployed, and when: ordinary releases of every component, and the deployments of a scenario.

Each component, and each job or platform that a scenario deploys, has a repository of its own; a deployment
that is about nothing in particular comes from the repository of all pipelines.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dogwatch.lab.estate import COMPONENT
from dogwatch.lab.faults import Fault
from dogwatch.lab.world import World, native_number, native_uuid

OWNER = "shop"
EVERYTHING = f"{OWNER}/pipelines"
"""The repository of what has none of its own; its workflows are the estate's jobs on GitHub."""
ROLLOUT = timedelta(seconds=95)
"""From a deployment's record to its success."""
_EVERY = (9, 16)
"""Days between two ordinary releases of a component: at least, at most."""
_AUTHORS = ("mlindner", "sokafor", "jtanaka", "avdberg")
_KEEP_CLEAR = timedelta(hours=12)
"""No ordinary release happens so close before the first deployment of a scenario, nor after it."""


@dataclass(frozen=True, slots=True)
class Release:
    """One deployment."""

    repository: str
    """``owner/name``."""
    created: datetime
    version: str
    """A tag."""
    description: str
    author: str
    number: int
    """Its id."""

    @property
    def sha(self) -> str:
        """The commit."""
        return (native_uuid(self.repository, self.version) + native_uuid(self.version)).replace("-", "")[:40]


class Releases:
    """All deployments of a world."""

    def __init__(self, world: World) -> None:
        self._deploys = [fault for fault in world.other_faults if fault.kind == "deploy"]
        places = {*world.components, *(fault.on for fault in self._deploys)} - {""}
        self.places = {_repository(place): place for place in sorted(places)}
        """What is deployed from each repository."""
        on_github = any(job.platform == "github" for job in world.jobs.values())
        if on_github or any(not fault.on for fault in self._deploys):
            self.places[EVERYTHING] = ""
        told = [release for fault in self._deploys for release in _told(fault)]
        first = min((fault.at for fault in self._deploys), default=None)
        usual = [
            release
            for repository, place in self.places.items()
            if place.startswith(COMPONENT)
            for release in _usual(repository, world)
            if first is None or release.created < first - _KEEP_CLEAR
        ]
        self.all = sorted([*told, *usual], key=lambda one: (one.created, one.repository))
        """In order of time."""


def _repository(place: str) -> str:
    """``shop/extractor`` for a component, ``shop/databricks-daily-sales`` for a job."""
    return f"{OWNER}/{place.removeprefix(COMPONENT).replace('/', '-').replace('_', '-')}"


def _told(fault: Fault) -> list[Release]:
    """The deployment of a scenario, and, if it does not last, the one that takes it back."""
    repository = _repository(fault.on) if fault.on else EVERYTHING
    version = str(fault.fields.get("version", "")) or f"v2.{native_number(fault.at.isoformat(), digits=2)}.0"
    made = [_release(repository, fault.at, version, f"Deploy {version} to production")]
    if fault.until is not None:
        made.append(_release(repository, fault.until, f"{version}-rollback", f"Roll back {version}"))
    return made


def _usual(repository: str, world: World) -> list[Release]:
    """Releases in working hours, every few days."""
    if world.start is None or world.end is None:
        return []
    made: list[Release] = []
    day = world.start.replace(hour=0, minute=0, second=0, microsecond=0)
    least, most = _EVERY
    patch = 0
    while day < world.end:
        patch += 1
        chance = native_number(repository, str(patch), str(world.seed))
        day += timedelta(days=least + chance % (most - least + 1))
        moment = day + timedelta(hours=8 + chance // 10 % 8, minutes=chance // 100 % 60)
        if moment.weekday() < 5:
            version = f"v1.{12 + patch // 4}.{patch % 4}"
            made.append(_release(repository, moment, version, f"Deploy {version} to production"))
    return made


def _release(repository: str, created: datetime, version: str, description: str) -> Release:
    name = (repository, version, created.isoformat())
    author = _AUTHORS[native_number(*name) % len(_AUTHORS)]
    return Release(repository, created, version, description, author, native_number(*name, digits=10))
