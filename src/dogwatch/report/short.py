"""What a round found out, in the few lines that fit into a chat."""

from dogwatch.model.report import CheckReport
from dogwatch.model.text import one_line, plural

_MOST = 5


def in_short(report: CheckReport, asked: frozenset[str] | None) -> str:
    """Plain text; nothing in it is markup, a mention or a link, whatever platforms said."""
    wrong = report.wrong
    if wrong:
        head = f"{plural(len(wrong), 'incident')} open."
    elif report.blind:
        head = (
            f"Blind: {plural(len(report.blind), 'platform')} could not be read, nothing else is known wrong."
        )
    else:
        head = "All is well."
    lines = [head]
    for incident in wrong[:_MOST]:
        lines.append(f"• {incident.name} {incident.severity.value}: {one_line(incident.title, 160)}")
    if len(wrong) > _MOST:
        lines.append(f"… and {len(wrong) - _MOST} more")
    for platform in report.blind:
        lines.append(f"• {one_line(platform.title, 60)} cannot be read: {one_line(platform.reason, 120)}")
    read = "everything" if asked is None else ", ".join(sorted(asked)) or "nothing"
    lines.append(f"Read: {read}, in {report.wall_seconds:.0f} s.")
    return "\n".join(lines)


def for_slack(text: str) -> str:
    """The same as Slack has to get it: its three special characters written out."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
