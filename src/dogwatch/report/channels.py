"""What ``dogwatch notify`` says: a few lines for each channel, and what to do where it is not well."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from rich.text import Text

from dogwatch.model.channels import ChannelsReport, ChannelView, TrialReport
from dogwatch.model.text import one_line, plural
from dogwatch.report import words
from dogwatch.report.lines import hanging, page, wrap

_MARKS = {"on": ("○", ""), "failing": ("◐", "bold yellow"), "off": ("●", "bold red")}


def channels(report: ChannelsReport, width: int, program: str = "dogwatch") -> Text:
    """All channels, in the order of dogwatch.yaml."""
    if not report.channels:
        return page(
            [
                Text("no channel is set up: nobody is told anything"),
                Text(f"  next  {program} init slack"),
            ]
        )
    indent = 4 + max(len(one.channel) for one in report.channels)
    lines: list[Text] = []
    for one in report.channels:
        mark, style = _MARKS[one.state]
        label = Text.assemble((f"{mark} ", style), (one.channel, style))
        lines += hanging(label, wrap(" · ".join(facts(one, report)), width - indent), indent)
        for number, step in enumerate(steps(one)):
            label = Text(" " * indent + ("next" if number == 0 else ""), style="dim")
            lines += hanging(label, wrap(step, width - indent - 6), indent + 6)
    if report.untold:
        said = f"{plural(report.untold, 'message')} of the last day had no channel to go to: see `routes`"
        lines += [Text(), *hanging(Text("◐ "), wrap(said, width - 2), 2)]
    return page(lines)


def facts(one: ChannelView, report: ChannelsReport) -> Iterator[str]:
    """What there is to say about a channel, the most important first."""
    zone = ZoneInfo(report.timezone)
    since = "" if one.since is None else f" since {words.clock(one.since, report.at, zone)}"
    if one.state == "off":
        yield f"switched off{since}: {one_line(one.reason, 200)}"
        yield f"{one.instead} gets its messages" if one.instead else "nobody gets its messages"
    elif one.state == "failing":
        yield f"does not answer{since}: {one_line(one.reason, 200)}"
    else:
        yield f"{one.title}, on"
    sent = f"{one.sent:,} sent"
    if one.last_sent_at is not None:
        sent += f", last {words.since(one.last_sent_at, report.at, zone)}"
    yield sent
    for number, said in ((one.waiting, "waiting"), (one.held, "held"), (one.failed, "refused")):
        if number:
            yield f"{number:,} {said}"
    if one.doubled:
        yield f"{one.doubled:,} perhaps sent twice"
    yield f"{one.alerts} of {plural(one.budget, 'alert')} this hour"
    if one.quiet_until is not None:
        yield f"quiet until {words.clock(one.quiet_until, report.at, zone)}"
    if one.last_error and one.state == "on":
        yield f"last attempt: {one_line(one.last_error, 160)}"


def steps(one: ChannelView) -> list[str]:
    """What to do about a channel that is not well."""
    if one.state == "on":
        return []
    hint = one_line(one.hint, 200)
    return [*([hint] if hint else []), f"dogwatch notify test {one.channel}"]


def trial(report: TrialReport, width: int) -> Text:
    """What came of a test message."""
    if report.ok:
        return page([Text(f"○ {report.channel}: sent ({one_line(report.landed, 200)})")])
    label = Text.assemble(("● ", "bold red"), (report.channel, "bold red"))
    lines = hanging(label, wrap(one_line(report.error, 400), width - 10), len(report.channel) + 4)
    if report.hint:
        lines += hanging(Text("  next", style="dim"), wrap(one_line(report.hint, 300), width - 8), 8)
    return page(lines)
