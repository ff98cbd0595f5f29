"""What the world does to an estate: the words for it, their fields, and whom they strike.

The table ``KINDS`` is a contract (docs/lab.md). Faults of jobs change runs (``simulate``), faults of
platforms befall calls (``twin`` and ``network``), faults of logs, metrics and deployments are kept as told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from dogwatch.lab.estate import COMPONENT, Estate, JobSpec
from dogwatch.lab.world import LabEdit, PlatformFault
from dogwatch.lab.yamlfile import Entry, did_you_mean

SEVERITIES = (
    "DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY",
)  # fmt: skip
"""Of a log line, by the words of Cloud Logging."""
METRICS = ("latency", "error_rate", "cpu", "memory", "disk", "queue_lag", "cost", "accuracy")
SHAPES = ("truncated", "html", "empty", "wrong_type", "missing_field")

Reader = Callable[[Entry], object]


class Reach(StrEnum):
    """What a kind of fault strikes."""

    job = "job"
    """One job, or every job of a platform."""
    platform = "platform"
    """The calls to a platform."""
    signal = "signal"
    """Logs, metrics and deployments of a component, a job or a platform."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A word for a fault: whom it may strike and which fields it has."""

    reach: Reach
    fields: Mapping[str, Reader] = field(default_factory=dict[str, Reader])
    required: tuple[str, ...] = ()


def _text(entry: Entry) -> object:
    return entry.text()


def _factor(entry: Entry) -> object:
    return entry.number(0, 1e6)


def _duration(entry: Entry) -> object:
    return entry.duration()


def _status(entry: Entry) -> object:
    """A server error, or the word ``refuses``."""
    return entry.integer(500, 599) if entry.numeric else entry.choice(("refuses",))


def _retry_after(entry: Entry) -> object:
    """Seconds, or a duration."""
    return entry.integer(most=86400) if entry.numeric else entry.duration()


def _every(entry: Entry) -> object:
    """A number of runs, or a duration."""
    return entry.integer(1, 10_000) if entry.numeric else entry.duration()


class PerSecond(float):
    """A rate of its own, as opposed to a factor on the usual one."""


def _rate(entry: Entry) -> object:
    """``PerSecond`` for 5/s or 40/m; a plain number is a factor on the usual rate."""
    return entry.number(0, 1e6) if entry.numeric else PerSecond(entry.rate())


_ERROR: dict[str, Reader] = {"error": _text}
_LINE: dict[str, Reader] = {"component": _text, "line": _text}
_LOG: dict[str, Reader] = {
    **_LINE,
    "severity": lambda entry: entry.choice(SEVERITIES),
    "rate": _rate,
}
_REFUSED: dict[str, Reader] = {"status": lambda entry: int(entry.choice(("401", "403")))}

KINDS: dict[str, Kind] = {
    "run_fails": Kind(Reach.job, {**_ERROR, "after": _factor}),
    "run_cancelled": Kind(Reach.job, _ERROR),
    "run_timed_out": Kind(Reach.job, _ERROR),
    "run_hangs": Kind(Reach.job),
    "run_slow": Kind(Reach.job, {"factor": _factor}, ("factor",)),
    "run_missing": Kind(Reach.job),
    "run_late": Kind(Reach.job, {"by": _duration}, ("by",)),
    "run_duplicated": Kind(Reach.job),
    "zero_rows": Kind(Reach.job),
    "row_drop": Kind(Reach.job, {"factor": _factor}, ("factor",)),
    "flapping": Kind(Reach.job, {**_ERROR, "every": _every}),
    "schema_change": Kind(Reach.job, {**_ERROR, "column": _text}),
    "upstream_skipped": Kind(Reach.job),
    "schedule_changed": Kind(Reach.job, {"cron": lambda entry: entry.cron()}, ("cron",)),
    "paused": Kind(Reach.job),
    "platform_down": Kind(Reach.platform, {"status": _status}),
    "platform_slow": Kind(Reach.platform, {"seconds": lambda entry: entry.number(0, 86400)}, ("seconds",)),
    "auth_revoked": Kind(Reach.platform, _REFUSED),
    "rate_limited": Kind(Reach.platform, {"retry_after": _retry_after}),
    "bad_payload": Kind(Reach.platform, {"shape": lambda entry: entry.choice(SHAPES)}),
    "clock_skew": Kind(Reach.platform, {"by": lambda entry: entry.duration(signed=True)}, ("by",)),
    "log_surge": Kind(Reach.signal, _LOG),
    "log_new": Kind(Reach.signal, _LOG, ("line",)),
    "log_injection": Kind(Reach.signal, _LINE, ("line",)),
    "metric_shift": Kind(
        Reach.signal,
        {"metric": lambda entry: entry.choice(METRICS), "factor": _factor},
        ("metric", "factor"),
    ),
    "deploy": Kind(
        Reach.signal,
        {**_ERROR, "version": _text, "breaks": lambda entry: tuple(part.text() for part in entry.listing())},
    ),
}
"""Every kind of fault there is."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that the world does in [at, until); without ``until`` it lasts to the end."""

    kind: str
    on: str
    """``<platform>/<key>``, ``<platform>`` or ``component/<name>``; a deployment may leave it empty."""
    at: datetime
    until: datetime | None = None
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def strikes(self, moment: datetime) -> bool:
        """Whether the moment lies in its time."""
        return self.at <= moment and (self.until is None or moment < self.until)

    @property
    def reach(self) -> Reach:
        """What it strikes."""
        return KINDS[self.kind].reach


def parse_fault(entry: Entry, estate: Estate) -> Fault:
    """A fault, or harmless noise, of a scenario on that estate. Raises LabError."""
    loose = entry.mapping()
    if "kind" not in loose:
        raise entry.wrong("lacks 'kind'; allowed: " + ", ".join(KINDS))
    word = loose["kind"].choice(tuple(KINDS))
    kind = KINDS[word]
    common = ("at", "until", "on", "kind")
    words = entry.words((*common, *kind.fields), ("at", *kind.required))
    fields: dict[str, Any] = {
        name: reader(words[name]) for name, reader in kind.fields.items() if name in words
    }
    at = words["at"].time()
    until = words["until"].time() if "until" in words else None
    if until is not None and until <= at:
        raise words["until"].wrong("it ends before it begins")
    on = _struck(entry, words, word, estate)
    fault = Fault(word, on, at, until, fields)
    _check(fault, words, estate)
    return fault


def _struck(entry: Entry, words: Mapping[str, Entry], word: str, estate: Estate) -> str:
    """Whom it strikes: ``on``, or ``component`` of a log line; a deployment may leave it open."""
    reach = KINDS[word].reach
    if "on" in words:
        place = words["on"]
        if reach is Reach.job:
            return estate.find(place, platforms=True)
        if reach is Reach.platform:
            if place.text() in estate.jobs:
                raise place.wrong(f"{word} strikes a platform: write {place.text().partition('/')[0]}")
            return estate.find(place, jobs=False, platforms=True)
        return estate.find(place, platforms=True, parts=True)
    if "component" in words:
        place = words["component"]
        name = COMPONENT + place.text().removeprefix(COMPONENT)
        if name not in estate.components:
            raise place.wrong(f"no such component {name!r:.80}" + did_you_mean(name, estate.components))
        return name
    if word == "deploy":
        return ""
    raise entry.wrong("lacks 'on'")


def _check(fault: Fault, words: Mapping[str, Entry], estate: Estate) -> None:
    for item in words["breaks"].listing() if "breaks" in words else ():
        estate.find(item, parts=True)
    if fault.kind == "schedule_changed":
        for job in targets(fault, estate):
            if job.schedule is None and job.every is None:
                raise words["on"].wrong(f"{job.job} has no schedule that could be changed")


def targets(fault: Fault, estate: Estate) -> list[JobSpec]:
    """The jobs whose runs a fault changes, in the order of the estate.

    A schema change strikes those who consume what ``on`` makes, or the job itself if nobody does. A
    deployment strikes the jobs that it breaks.
    """
    if fault.kind == "deploy":
        names: Sequence[str] = fault.fields.get("breaks", ())
    elif fault.reach is not Reach.job:
        names = ()
    elif fault.kind == "schema_change" and fault.on in estate.jobs:
        names = estate.consumers(fault.on) or [fault.on]
    else:
        names = [fault.on]
    return [spec for spec in estate.jobs.values() if spec.job in names or spec.platform in names]


def platform_faults(faults: Sequence[Fault]) -> list[PlatformFault]:
    """Those that befall calls, as the world keeps them."""
    return [
        PlatformFault(fault.on, fault.kind, fault.at, fault.until, fault.fields)
        for fault in faults
        if fault.reach is Reach.platform
    ]


def edits(job: JobSpec, faults: Sequence[Fault]) -> tuple[LabEdit, ...]:
    """What people change about a job by ``schedule_changed`` and ``paused``, undone at ``until``."""
    found: list[LabEdit] = []
    for fault in faults:
        if fault.kind == "schedule_changed":
            found.append(LabEdit(fault.at, schedule=str(fault.fields["cron"])))
            if fault.until is not None:
                found.append(LabEdit(fault.until, schedule=job.schedule, every=job.every))
        elif fault.kind == "paused":
            found.append(LabEdit(fault.at, paused=True))
            if fault.until is not None:
                found.append(LabEdit(fault.until, paused=False))
    return tuple(sorted(found, key=lambda edit: edit.at))
