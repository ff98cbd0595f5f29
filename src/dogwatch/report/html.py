"""A message as HTML for mail: everything escaped, no script, no image, no style of a platform."""

from collections.abc import Iterable
from html import escape
from zoneinfo import ZoneInfo

from dogwatch.model import Block, Consent, Fields, Items, Message, Quote, Severity, Steps, Text
from dogwatch.model.text import one_line
from dogwatch.report.plain import consent_lines, is_link, origin, quoted_lines

_HUES = {
    Severity.INFO: "#57606a",
    Severity.WARNING: "#8a5a00",
    Severity.ERROR: "#b3261e",
    Severity.CRITICAL: "#8c1d18",
}
_FONT = "font-family:system-ui,-apple-system,'Segoe UI',sans-serif;font-size:15px;line-height:1.5"
_MONO = "font-family:ui-monospace,Consolas,monospace;font-size:13px"
_GREY = "color:#57606a"
_WORD_JOINER = "\u2060"
_LINE = 1_000


def inert(text: str, limit: int = _LINE) -> str:
    """Text that stays text: no element, no entity, and nothing that a mail program turns into a link."""
    safe = escape(one_line(text, limit))
    return (
        safe.replace("@", f"@{_WORD_JOINER}")
        .replace("://", f":{_WORD_JOINER}//")
        .replace("www.", f"www{_WORD_JOINER}.")
    )


def page(message: Message) -> str:
    """The whole message."""
    zone = ZoneInfo(message.timezone)
    parts = [
        f'<div style="{_FONT};max-width:40em">',
        (
            f'<h2 style="font-size:18px;margin:0 0 12px;color:{_HUES[message.severity]}">'
            f"{inert(message.title, 300)}</h2>"
        ),
    ]
    for block in message.blocks:
        parts += _block(block, zone)
    return "\n".join([*parts, "</div>"]) + "\n"


def _block(block: Block, zone: ZoneInfo) -> Iterable[str]:
    match block:
        case Text(text=said):
            return [f"<p>{inert(said)}</p>"]
        case Fields(fields=fields):
            rows = (
                f'<tr><td style="{_GREY};padding:2px 16px 2px 0;vertical-align:top">{inert(label, 40)}</td>'
                f'<td style="padding:2px 0">{inert(value, _LINE * 8)}</td></tr>'
                for label, value in fields
            )
            return ['<table style="border-collapse:collapse;margin:12px 0">', *rows, "</table>"]
        case Quote():
            return _quote(block, zone)
        case Items(title=title, items=items):
            head = [f'<p style="margin:12px 0 0">{inert(title)}:</p>'] if title else []
            return [*head, "<ul>", *(f"<li>{inert(item)}</li>" for item in items), "</ul>"]
        case Steps(steps=steps):
            return [
                '<p style="margin:12px 0 0">next:</p>',
                "<ul>",
                *(_step(*step) for step in steps),
                "</ul>",
            ]
        case Consent():
            label, why, *commands = consent_lines(block)
            told = (f'<li><code style="{_MONO}">{inert(line[2:])}</code></li>' for line in commands)
            return [f"<p><b>{inert(label)}</b><br>{inert(why)}</p>", "<ul>", *told, "</ul>"]


def _quote(quote: Quote, zone: ZoneInfo) -> list[str]:
    source = inert(origin(quote, zone), 300)
    if quote.url and is_link(quote.url):
        source += f' · <a href="{escape(quote.url)}">open</a>'
    lines = "\n".join(inert(line) for line in quoted_lines(quote))
    return [
        f'<p style="{_GREY};font-size:13px;margin:12px 0 0">{source}</p>',
        (
            f'<pre style="{_MONO};border-left:2px solid #d0d7de;margin:4px 0;padding:0 0 0 12px;'
            f'white-space:pre-wrap">{lines}</pre>'
        ),
    ]


def _step(said: str, target: str) -> str:
    if is_link(target):
        return f'<li>{inert(said, 400)}: <a href="{escape(target)}">{inert(target)}</a></li>'
    command = f': <code style="{_MONO}">{inert(target)}</code>' if target else ""
    return f"<li>{inert(said, 400)}{command}</li>"
