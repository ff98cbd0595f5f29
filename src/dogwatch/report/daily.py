"""The daily digest: how everything is, what happened in the day before, what waits for somebody."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from dogwatch.model import (
    ActionState,
    Block,
    Fields,
    Incident,
    Items,
    Message,
    Occasion,
    ScopeKind,
    Severity,
    Steps,
    Text,
)
from dogwatch.model.overview import Overview
from dogwatch.model.text import one_line, plural
from dogwatch.report import words
from dogwatch.report.verdict import verdict

_LISTED = 8
"""Entries of each list; of further ones their number is told."""


def daily(found: Overview, key: str) -> Message:
    """What it says; ``found`` reaches a day back. ``key`` names it for ever."""
    zone = ZoneInfo(found.timezone)
    live = [one for one in found.incidents if one.state.live and not one.blind and not one.muted]
    over = [one for one in found.incidents if not one.state.live and not one.blind]
    blind = [one for one in found.platforms if one.blind_since is not None]
    waiting = [one for one in found.actions if one.state is ActionState.waiting]
    blocks: list[Block] = [Text(text=line) for line in _opening(found, zone)]
    blocks.append(Fields(fields=tuple(_numbers(found, live, over))))
    lists = (
        ("open", [_incident(one, found, zone) for one in live]),
        ("not seen", [words.blindness(one, found.at, zone) for one in blind]),
        ("over since yesterday", [one_line(f"{one.name} {one.title}", 240) for one in over]),
        ("waits for your consent", [one_line(found.labels.get(one.id, one.verb), 240) for one in waiting]),
    )
    for title, lines in lists:
        if lines:
            blocks.append(Items(title=title, items=tuple(_some(lines))))
    blocks.append(Steps(steps=tuple(_steps(live, bool(waiting)))))
    worst = max((one.severity for one in live), key=lambda one: one.rank, default=Severity.INFO)
    return Message(
        key=key,
        thread=key,
        occasion=Occasion.report,
        title=f"Daily digest: {verdict(found)[1].rstrip('.')}",
        severity=Severity.WARNING if blind and worst is Severity.INFO else worst,
        blocks=tuple(blocks),
        at=found.at,
        timezone=found.timezone,
    )


def _opening(found: Overview, zone: ZoneInfo) -> Iterable[str]:
    for one in found.health:
        if one.kind is ScopeKind.all:
            yield one_line(one.summary, 400)
    if found.last_round_at is None:
        yield "nothing has been looked at yet"
    else:
        yield f"last looked {words.since(found.last_round_at, found.at, zone)}"


def _numbers(
    found: Overview, live: Sequence[Incident], over: Sequence[Incident]
) -> Iterable[tuple[str, str]]:
    known = sum(one.jobs for one in found.platforms)
    well = sum(one.jobs_as_expected or 0 for one in found.platforms)
    yield "jobs", f"{well:,} of {known:,} as expected on {plural(len(found.platforms), 'platform')}"
    yield "runs", words.ran(found)
    new = sum(one.opened_at >= found.since for one in live)
    yield "incidents", f"{len(live)} open, {new} of them new since yesterday; {len(over)} over"


def _incident(one: Incident, found: Overview, zone: ZoneInfo) -> str:
    return one_line(
        f"{one.name} {one.severity.value} {one_line(one.title, 180)},"
        f" since {words.clock(one.began_at, found.at, zone)}",
        300,
    )


def _some(lines: Sequence[str]) -> Iterable[str]:
    yield from lines[:_LISTED]
    if len(lines) > _LISTED:
        yield f"and {len(lines) - _LISTED:,} more"


def _steps(live: Sequence[Incident], waiting: bool) -> Iterable[tuple[str, str]]:
    if live:
        yield "the worst of them", f"dogwatch incident show {live[0].name}"
    if waiting:
        yield "what waits for you", "dogwatch actions"
    yield "everything on one page", "dogwatch report"
