"""What ``dogwatch doctor --deep`` says of the watch itself, part by part."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from dogwatch.detect.silent import PEER, SILENT, WORKER
from dogwatch.model.call import Organ, Pulse, Watcher
from dogwatch.model.channels import ChannelsReport
from dogwatch.model.text import one_line, plural, span

_LEAST_FREE = 1 << 30
_LEAST_SHARE = 0.05


def rounds(pulse: Pulse, zone: ZoneInfo) -> Iterator[Organ]:
    """How old what is known is, and whether events wait."""
    limit = span(pulse.stale_after_seconds)
    if pulse.last_round_at is None:
        yield Organ(name="rounds", ok=False, line="no round ever ended", hint="dogwatch check")
    else:
        ago = span((pulse.at - pulse.last_round_at).total_seconds())
        line = f"the last one ended {ago} ago ({pulse.last_round_at.astimezone(zone):%d %b %H:%M})"
        hint = "dogwatch watch" if pulse.stale else ""
        yield Organ(name="rounds", ok=not pulse.stale, line=f"{line}; too old after {limit}", hint=hint)
    yield Organ(name="events", ok=True, line=f"{plural(pulse.waiting_calls, 'event')} wait for a round")


def watchers(pulse: Pulse) -> Iterator[Organ]:
    """Who watches, and who fell silent."""
    alive = [one for one in pulse.watchers if one.stopped_at is None]
    if not any(one.holder != PEER for one in alive):
        yield Organ(name="watch", ok=False, line="nobody keeps the watch", hint="dogwatch watch")
    for one in alive:
        ago = pulse.at - one.seen_at
        role = _role(one)
        said = f"{one_line(one.name, 80)} {role}, heard {span(ago.total_seconds())} ago"
        silent = ago > SILENT
        hint = "look after it on its machine, and start it again: dogwatch watch" if silent else ""
        yield Organ(name="watch", ok=not silent, line=said, hint=hint)


def _role(one: Watcher) -> str:
    if one.name.startswith(WORKER):
        return "makes rounds"
    return "answers" if one.holder == PEER else "leads" if one.leads else "stands by"


def listener(address: str, problem: str) -> Iterator[Organ]:
    """Whether others can call."""
    if address:
        line = f"answers at {address}" if not problem else f"does not answer at {address}: {problem}"
        yield Organ(name="listener", ok=not problem, line=line, hint="dogwatch watch" if problem else "")


def messages(channels: ChannelsReport) -> Iterator[Organ]:
    """Whether people can be told."""
    if not channels.channels:
        yield Organ(name="channels", ok=False, line="nobody is told of anything", hint="dogwatch init slack")
    for one in channels.channels:
        line = f"{one.channel} is {one.state}: {one.waiting} waiting, {one.failed} given up"
        said = f"{line}; {one_line(one.reason, 200)}" if one.reason else line
        yield Organ(name="channels", ok=one.state == "on", line=said, hint=one.hint)


def record(broken: int | None, events: int, last: str) -> Organ:
    """Whether the record of what was decided and done is as it was written."""
    if broken is not None:
        hint = "dogwatch audit verify"
        return Organ(name="record", ok=False, line=f"its chain breaks at entry {broken}", hint=hint)
    tail = f", last hash {last[:12]}" if last else ""
    return Organ(name="record", ok=True, line=f"whole: {plural(events, 'entry', 'entries')}{tail}")


def policy(problem: str) -> Organ:
    """Whether actions could be decided."""
    if problem:
        return Organ(name="policy", ok=False, line=one_line(problem, 300), hint="mend policy.yaml")
    return Organ(name="policy", ok=True, line="understood")


def disk(free: int, total: int) -> Organ:
    """Whether there is room beside the configuration."""
    tight = free < _LEAST_FREE or free < _LEAST_SHARE * total
    line = f"{free / (1 << 30):.1f} GiB free of {total / (1 << 30):.0f}"
    return Organ(name="disk", ok=not tight, line=line, hint="free some disk space" if tight else "")


def heartbeat(configured: bool) -> Organ:
    """Whether somebody would notice that this machine is gone."""
    if configured:
        return Organ(name="heartbeat", ok=True, line="a dead man's switch hears of every round")
    line = "no dead man's switch: nobody outside notices if this machine is gone"
    return Organ(name="heartbeat", ok=True, line=line, hint="DOGWATCH_WATCH_HEARTBEAT_URL in .env")
