"""What pages show, looked up so that it does not grow with what is remembered. Sync; asks no platform."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dogwatch.detect import Policy
from dogwatch.detect.course import course
from dogwatch.errors import SettingsError
from dogwatch.logs.book import Book, Entry
from dogwatch.logs.events import Batch
from dogwatch.logs.judge import SEVERITIES, Components
from dogwatch.logs.memory import Memory
from dogwatch.logs.redact import redact
from dogwatch.logs.verdict import verdicts
from dogwatch.lookup.cases import incident_list
from dogwatch.lookup.overview import last_told
from dogwatch.lookup.timeline import AHEAD, BACK, Choice, tracks
from dogwatch.lookup.times import times_of
from dogwatch.model import Harm, Incident, IncidentState, Job, JobState, Run, job_subject
from dogwatch.model.dossier import Dossier
from dogwatch.model.ledger import JobKey
from dogwatch.model.overview import Overview
from dogwatch.model.pages import (
    ErrorGroup,
    Hit,
    HitKind,
    JobFile,
    JobLine,
    JobList,
    LogLine,
    LogPage,
    SearchResult,
)
from dogwatch.model.report import Course, PlatformView
from dogwatch.model.text import bounded, one_line
from dogwatch.store import Store
from dogwatch.store.incidents import IncidentFilter

_LANES, _FEW = 40, 12
"""Jobs of one platform in the timeline: all of a few, of many so many, troubled ones first."""
_OVER = 10
_DOSSIERS = 5
_RUNS = 50
_HISTORY = 130
_SLOTS = 20
_CASES = 10
_HITS = 12
_HOURS = 48
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Trouble:
    """A job or a component that a live incident is about."""

    subject: str
    name: str
    incident: Incident
    harm: Harm | None
    """What was done to it; None: it began there."""


def tonight(store: Store, policy: Policy, now: datetime) -> Overview:
    """Verdict, incidents and the last 24 hours. Of each platform's jobs those in trouble are shown, and a few
    of the others; all of them if there are few."""
    live = incident_list(
        store,
        IncidentFilter(states=tuple(s for s in IncidentState if s.live), limit=200),
        policy.timezone,
        now,
    ).incidents
    ended = store.incidents(IncidentFilter(states=(IncidentState.resolved,), since=now - BACK, limit=_OVER))
    told_at, platforms, health = last_told(store)
    culprits = dict.fromkeys(one.culprit for one in live)
    wrong = culprits | dict.fromkeys(
        each.subject for one in live for each in one.affected if each.since is not None
    )
    return Overview(
        at=now,
        timezone=policy.timezone,
        since=now - BACK,
        last_round_at=told_at,
        health=health,
        platforms=platforms,
        incidents=(*live, *ended),
        dossiers=_in_short(store, live[:_DOSSIERS], policy.timezone, now),
        tracks=tracks(store, _shown(store, platforms, wrong, now), wrong, now),
        starts_at=now - BACK,
        ends_at=now + AHEAD,
    )


def _in_short(
    store: Store, incidents: Sequence[Incident], timezone: str, now: datetime
) -> tuple[Dossier, ...]:
    """Incidents with the evidence that they cite, without their story."""
    known = {item.id: item for item in store.evidence(id_ for one in incidents for id_ in one.cites)}
    return tuple(
        Dossier(
            at=now,
            timezone=timezone,
            incident=one,
            evidence=tuple(known[id_] for id_ in one.cites if id_ in known),
        )
        for one in incidents
    )


def _shown(
    store: Store, platforms: Sequence[PlatformView], wrong: Iterable[str], now: datetime
) -> Iterable[Choice]:
    """What is wrong and what failed; of a platform of few jobs all, of others some more."""
    concerned = [_key(subject) for subject in wrong]
    troubled = Counter(store.troubled_jobs(now - BACK))
    counts = store.job_counts()
    for platform in platforms:
        instance, count = platform.instance, counts.get(platform.instance, 0)
        own = [key for key in concerned if key[0] == instance]
        own += [key for key, _ in troubled.most_common() if key[0] == instance]
        most = _LANES if count <= _LANES else _FEW
        chosen = list(dict.fromkeys(own))[:most]
        if len(chosen) < most:
            some = store.job_page(instance, "", "", most)
            chosen = list(dict.fromkeys([*chosen, *((row[0], row[2]) for row in some)]))[:most]
        jobs = store.jobs_now(instance, [key[1] for key in chosen])
        yield Choice(platform, jobs, max(0, count - len(jobs)))


def _key(subject: str) -> JobKey:
    instance, _, job_id = subject.partition("/")
    return instance, job_id


# ── one job ───────────────────────────────────────────────────────────────────────────────────────────────


def job_file(store: Store, policy: Policy, key: JobKey, cursor: str | None, now: datetime) -> JobFile:
    """One job with its latest runs, or those from behind a run. Raises SettingsError if it is not known."""
    found = store.jobs_of([key]).get(key)
    if found is None:
        raise SettingsError(f"no job is called {one_line(job_subject(*key), 120)!r}", "dogwatch schedule")
    job, gone = found
    ids = store.newest_attempts(key, _RUNS, cursor)
    known = store.runs_by_uid(ids)
    runs = [known[uid] for uid in ids if uid in known]
    times = times_of(store, policy, [key], _SLOTS, now) if not gone else []
    return JobFile(
        at=now,
        timezone=policy.timezone,
        job=job,
        gone=gone,
        times=times[0] if times else None,
        runs=tuple(runs),
        courses=_courses(store, policy, job, now),
        errors=_errors(runs),
        incidents=concerning(store, job.subject),
    )


def concerning(store: Store, subject: str) -> tuple[Incident, ...]:
    """Live incidents of which a job or a component is the culprit or that hit it, and the latest of which it
    was the culprit."""
    live = [one for one in store.live_incidents() if subject in (one.culprit, *_hit(one))]
    past = [one for one in store.incidents_of(subject, _CASES) if not one.state.live]
    return (*live, *past)


def _hit(incident: Incident) -> list[str]:
    return [one.subject for one in incident.affected]


def _courses(store: Store, policy: Policy, job: Job, now: datetime) -> tuple[Course, ...]:
    key = (job.instance, job.job_id)
    history = store.histories([key], _HISTORY).get(key, [])
    rules = policy.rulebook.of(job.subject, job.name)
    volume = "rows" if any("rows" in run.metrics for run in history) else "bytes"
    drawn = [course(history, "duration_seconds", rules, policy.zone, now)]
    drawn.append(course(history, "rows" if volume == "rows" else "bytes", rules, policy.zone, now))
    return tuple(one for one in drawn if one is not None)


def _errors(runs: Sequence[Run]) -> tuple[ErrorGroup, ...]:
    """The errors of runs by what they say, numbers and names left out."""
    told = [run for run in reversed(runs) if run.error_message]
    if not told:
        return ()
    lines = [one_line(redact(run.error_message or ""), 2_000) or "-" for run in told]
    book = Book()
    times: list[float | None] = [run.began_at.timestamp() for run in told]
    none = [""] * len(lines)
    book.add(Batch("\n".join(lines).encode("utf-8", "replace"), len(lines), times, none, none))
    return tuple(
        ErrorGroup(
            template=bounded(entry.template.text, 600),
            count=entry.template.lines,
            last_at=_moment(entry.last) or told[-1].began_at,
            sample=bounded(entry.samples[-1].text if entry.samples else entry.template.text, 600),
        )
        for entry in book.entries()
        if entry.template.lines
    )


# ── lists and search ──────────────────────────────────────────────────────────────────────────────────────


def job_list(
    store: Store, timezone: str, instance: str | None, text: str, after: str, limit: int, now: datetime
) -> JobList:
    """A page of jobs by subject."""
    rows = store.job_page(instance, text, after, limit + 1)
    lines = tuple(
        JobLine(instance=row[0], platform=row[1], job_id=row[2], name=row[3], state=JobState(row[4]))
        for row in rows[:limit]
    )
    _, platforms, _ = last_told(store)
    more = lines[-1].subject if len(rows) > limit and lines else ""
    return JobList(at=now, timezone=timezone, jobs=lines, next_after=more, platforms=platforms)


def in_trouble(store: Store, instance: str | None) -> tuple[Trouble, ...]:
    """The jobs and components that live incidents are about, where trouble began first: of all platforms, or
    of one."""
    live = sorted(store.live_incidents(), key=lambda one: (one.blind, -one.severity.rank, one.number))
    found: dict[str, Trouble] = {}
    for one in live:
        if "/" in one.culprit:
            found.setdefault(one.culprit, Trouble(one.culprit, one.culprit_name, one, None))
    for one in live:
        for hit in one.affected:
            found.setdefault(hit.subject, Trouble(hit.subject, hit.name, one, hit.harm))
    return tuple(one for key, one in found.items() if instance is None or _key(key)[0] == instance)


def search(store: Store, timezone: str, text: str, now: datetime) -> SearchResult:
    """Jobs, incidents, actions and findings that have to do with a text of two characters or more."""
    wanted = one_line(text, 200)
    if len(wanted) < 2:
        return SearchResult(at=now, timezone=timezone, query=wanted)
    number = wanted.upper().removeprefix("INC-")
    one = store.incident(int(number)) if number.isdecimal() and len(number) < 10 else None
    cases = [one] if one is not None else []
    cases += [
        each for each in store.incidents_saying(wanted, _HITS) if one is None or each.number != one.number
    ]
    hits = [
        Hit(
            kind=HitKind.incident,
            title=each.title,
            subject=each.name,
            note=each.state.value,
            at=each.began_at,
        )
        for each in cases
    ]
    for row in store.job_page(None, wanted, "", _HITS):
        note = "" if row[4] == JobState.active.value else row[4]
        hits.append(Hit(kind=HitKind.job, title=row[3], subject=f"{row[0]}/{row[2]}", note=note))
    for action in store.actions_saying(wanted, _HITS):
        title = f"{action.verb} {action.target_name}"
        note = action.state.value.replace("_", " ")
        hits.append(
            Hit(kind=HitKind.action, title=title, subject=action.id, note=note, at=action.proposed_at)
        )
    if len(wanted) >= 6 and all(char in "0123456789abcdef" for char in wanted):
        for finding, first, _, cleared in store.findings_like(wanted)[:_HITS]:
            note = "over" if cleared else "open"
            hits.append(
                Hit(
                    kind=HitKind.finding,
                    title=finding.summary,
                    subject=finding.fingerprint,
                    note=note,
                    at=first,
                )
            )
    return SearchResult(at=now, timezone=timezone, query=wanted, hits=tuple(hits))


# ── logs ──────────────────────────────────────────────────────────────────────────────────────────────────


def log_page(
    store: Store,
    timezone: str,
    instances: Sequence[str],
    components: Mapping[str, str],
    now: datetime,
    only: Collection[str] | None = None,
) -> LogPage:
    """All kinds of messages that are remembered, or those of ``only`` some components: new, surging and
    vanished first, then the worst and the most frequent ones."""
    lines: list[LogLine] = []
    sources: list[str] = []
    total, latest = 0, None
    for instance in instances:
        shelf = store.log_shelf(instance, only)
        if not shelf.books and shelf.read_until is None:
            continue
        sources.append(instance)
        total += shelf.lines
        latest = max((one for one in (latest, shelf.read_until) if one is not None), default=None)
        memory = Memory(Components(components), shelf.books, now.timestamp())
        until = shelf.read_until.timestamp() if shelf.read_until else now.timestamp()
        for component, book in memory.books.items():
            lines += _said(instance, component, book, until)
    lines.sort(key=_news_first)
    return LogPage(
        at=now,
        timezone=timezone,
        lines=tuple(lines),
        sources=tuple(sources),
        read_until=latest,
        total=total,
    )


_CHANGES = ("new", "surging", "vanished", "")


def _news_first(line: LogLine) -> tuple[int, int, int, str]:
    return (
        _CHANGES.index(line.change),
        -SEVERITIES.index(line.severity),
        -line.count,
        line.template,
    )


def _said(instance: str, component: str, book: Book, until: float) -> list[LogLine]:
    odd = {one.change.entry.template.id: one.change for one in verdicts(book, until)}
    by_leaf, last = book.hours(), int(until // _HOUR)
    found: list[LogLine] = []
    for entry in book.entries():
        if not entry.lines:
            continue
        change = odd.get(entry.template.id)
        kind = change.kind if change else ""
        found.append(
            LogLine(
                instance=instance,
                component=component,
                template=bounded(entry.template.text, 400),
                severity=entry.severity,
                count=entry.lines,
                first_at=_moment(entry.first),
                last_at=_moment(entry.last),
                change="new"
                if kind == "new"
                else "surging"
                if kind == "surging"
                else "vanished"
                if kind
                else "",
                usual=change.usual if change else 0.0,
                seen=change.seen if change else 0,
                hours=_course_of(entry, by_leaf, last),
                sample=bounded(entry.samples[0].text, 400) if entry.samples else "",
            )
        )
    return found


def _course_of(entry: Entry, by_leaf: Mapping[int, Counter[int]], last: int) -> tuple[int, ...]:
    """Lines in each of the last hours."""
    hours = [0] * _HOURS
    for leaf in entry.leaves:
        for hour, lines in by_leaf.get(leaf, Counter[int]()).items():
            if 0 <= last - hour < _HOURS:
                hours[_HOURS - 1 - (last - hour)] += lines
    return tuple(hours)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
