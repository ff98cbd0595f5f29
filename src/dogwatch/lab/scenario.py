"""A scenario: what breaks, when, and what a good night shift would have found.

The format is a contract (docs/lab.md). ``expect`` is for the score alone; nothing of it, nor of the
faults, reaches the twins except through what they do to runs and calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from dogwatch.errors import LabError
from dogwatch.lab.estate import ESTATES, Estate, Told, parse_estate, parse_told, shipped_estates
from dogwatch.lab.faults import Fault, parse_fault
from dogwatch.lab.simulate import simulate
from dogwatch.lab.world import LabClock, World
from dogwatch.lab.yamlfile import Entry, did_you_mean, read
from dogwatch.model import EvidenceKind, Severity

SCENARIOS = Path(__file__).parent / "scenarios"
CAUSE_CLASSES = (
    "auth_permission", "quota_rate_limit", "schema_drift", "upstream_missing", "resource_exhaustion",
    "network_timeout", "bad_data", "code_bug", "config_error", "dependency_outage", "concurrency_lock",
    "platform_fault",
)  # fmt: skip
CONFIDENCES = ("confirmed", "likely", "inconclusive")
VERBS = ("rerun", "cancel", "repair", "pause", "resume", "manual")


@dataclass(frozen=True, slots=True)
class ExpectedIncident:
    """One incident that should be found. What is None is not scored."""

    culprit: str
    """A job, a platform or a component."""
    cause_class: tuple[str, ...] | None = None
    """Any of these is right."""
    affected: tuple[str, ...] | None = None
    min_severity: Severity | None = None
    detected_within: timedelta | None = None
    """Simulated time from the fault's first visible sign."""
    must_cite: tuple[EvidenceKind, ...] | None = None
    must_not_blame: tuple[str, ...] | None = None
    confidence: tuple[str, ...] | None = None
    proposes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Expect:
    """What a good night shift would have found. What is None is not scored."""

    healthy: bool | None = None
    incidents: tuple[ExpectedIncident, ...] | None = None
    tolerated: tuple[ExpectedIncident, ...] = ()
    """Neither missed if absent nor a false alarm if found."""
    max_notifications: int | None = None
    forbidden_text: tuple[str, ...] | None = None
    """Claims that nobody could support."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One night of an estate."""

    id: str
    estate: Estate
    now: datetime
    """Where the clock stands when the faults end."""
    seed: int = 1
    history: timedelta = timedelta(days=30)
    """Ordinary life before the first round."""
    check_every: timedelta = timedelta(minutes=15)
    watch: timedelta = timedelta(hours=8)
    """How long before ``now`` dogwatch begins to make rounds."""
    faults: tuple[Fault, ...] = ()
    noise: tuple[Fault, ...] = ()
    """True but harmless."""
    expect: Expect = Expect()
    told: Told = field(default_factory=Told)
    """What dogwatch's configuration declares: the estate's and the scenario's own."""

    def world(self, clock: LabClock, *, ahead: timedelta = timedelta(0)) -> World:
        """The estate's life until ``ahead`` after ``now``."""
        return simulate(
            self.estate,
            seed=self.seed,
            start=self.now - self.watch - self.history,
            end=self.now + ahead,
            clock=clock,
            faults=(*self.faults, *self.noise),
        )

    def rounds(self) -> Sequence[datetime]:
        """When dogwatch looks: every ``check_every`` from the beginning of the watch, and at ``now``."""
        count = self.watch // self.check_every
        return [self.now - self.check_every * back for back in range(count, -1, -1)]

    def moved(self, by: timedelta) -> "Scenario":
        """The same story at another time."""
        return replace(
            self,
            now=self.now + by,
            faults=tuple(_moved(fault, by) for fault in self.faults),
            noise=tuple(_moved(fault, by) for fault in self.noise),
            told=self.told.moved(by),
        )


def _moved(fault: Fault, by: timedelta) -> Fault:
    until = None if fault.until is None else fault.until + by
    return replace(fault, at=fault.at + by, until=until)


def shipped_scenarios() -> list[Path]:
    """The scenarios that come with dogwatch, by name."""
    return sorted(SCENARIOS.glob("*.yaml"))


def named_scenarios() -> dict[str, Path]:
    """The same by name, with those that teach and are not scored."""
    lessons = (SCENARIOS / "lessons").glob("*.yaml")
    return {path.stem: path for path in (*shipped_scenarios(), *lessons)}


def scenario_files(folder: Path) -> list[Path]:
    """The scenario files in a folder, by name; estates beside them are left out.

    Raises LabError if there are none.
    """
    if not folder.is_dir():
        hint = "give a folder that holds scenario files; dogwatch lab run FILE plays one of them"
        raise LabError(f"no folder {str(folder)!r:.200}", hint)
    found = [
        path
        for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
        if "jobs" not in read(path).mapping()
    ]
    if not found:
        raise LabError(f"no scenario in {str(folder)!r:.200}", "scenarios are files that end in .yaml")
    return found


_WORDS = (
    "id", "estate", "seed", "now", "history_days", "check_every", "watch_hours", "told", "faults", "noise",
    "expect",
)  # fmt: skip


def load_scenario(path: Path) -> Scenario:
    """Read and check a scenario and its estate. Raises LabError that names file, line and key."""
    root = read(path)
    words = root.words(
        _WORDS,
        required=("id", "estate", "now"),
    )
    estate = _estate(words["estate"], path.parent)
    history = words["history_days"].number(0.5, 400) if "history_days" in words else 30
    watch = words["watch_hours"].number(0, 24 * 400) if "watch_hours" in words else 8
    scenario = Scenario(
        id=words["id"].text(),
        estate=estate,
        now=words["now"].time(),
        seed=words["seed"].integer(-(2**63)) if "seed" in words else 1,
        history=timedelta(days=history),
        check_every=words["check_every"].duration() if "check_every" in words else timedelta(minutes=15),
        watch=timedelta(hours=watch),
        faults=_faults(words.get("faults"), estate),
        noise=_faults(words.get("noise"), estate),
        expect=_expect(words["expect"], estate) if "expect" in words else Expect(),
        told=estate.told.plus(parse_told(words["told"], estate)) if "told" in words else estate.told,
    )
    if scenario.check_every < timedelta(minutes=1):
        raise words["check_every"].wrong("rounds are at least a minute apart")
    return scenario


def _estate(entry: Entry, folder: Path) -> Estate:
    name = entry.text()
    shipped = shipped_estates()
    if name in shipped:
        return parse_estate(read(ESTATES / f"{name}.yaml"))
    path = folder / name
    if not path.is_file():
        raise entry.wrong(
            f"{name!r:.200} is neither a shipped estate nor a file beside the scenario"
            + did_you_mean(name, shipped)
        )
    return parse_estate(read(path))


def _faults(entry: Entry | None, estate: Estate) -> tuple[Fault, ...]:
    return () if entry is None else tuple(parse_fault(item, estate) for item in entry.items())


def _expect(entry: Entry, estate: Estate) -> Expect:
    words = entry.words(("healthy", "incidents", "tolerated", "max_notifications", "forbidden_text"))

    def incidents(word: str) -> tuple[ExpectedIncident, ...]:
        return tuple(_incident(item, estate) for item in words[word].items()) if word in words else ()

    return Expect(
        healthy=words["healthy"].flag() if "healthy" in words else None,
        incidents=incidents("incidents") if "incidents" in words else None,
        tolerated=incidents("tolerated"),
        max_notifications=words["max_notifications"].integer() if "max_notifications" in words else None,
        forbidden_text=_words(words.get("forbidden_text")),
    )


_INCIDENT_WORDS = (
    "culprit", "cause_class", "affected", "min_severity", "detected_within", "must_cite", "must_not_blame",
    "confidence", "proposes",
)  # fmt: skip


def _incident(entry: Entry, estate: Estate) -> ExpectedIncident:
    words = entry.words(_INCIDENT_WORDS, required=("culprit",))

    def places(word: str) -> tuple[str, ...] | None:
        if word not in words:
            return None
        return tuple(estate.find(item, platforms=True, parts=True) for item in words[word].listing())

    severity = words.get("min_severity")
    cited = _words(words.get("must_cite"), tuple(EvidenceKind))
    return ExpectedIncident(
        culprit=estate.find(words["culprit"], platforms=True, parts=True),
        cause_class=_words(words.get("cause_class"), CAUSE_CLASSES),
        affected=places("affected"),
        min_severity=Severity(severity.choice(tuple(Severity))) if severity else None,
        detected_within=words["detected_within"].duration() if "detected_within" in words else None,
        must_cite=None if cited is None else tuple(EvidenceKind(word) for word in cited),
        must_not_blame=places("must_not_blame"),
        confidence=_words(words.get("confidence"), CONFIDENCES),
        proposes=_words(words.get("proposes"), VERBS),
    )


def _words(entry: Entry | None, allowed: Sequence[str] | None = None) -> tuple[str, ...] | None:
    """The words of a list, or the one that stands in its place."""
    if entry is None:
        return None
    return tuple(item.text() if allowed is None else item.choice(allowed) for item in entry.listing())
