"""A message as plain text: for mail, for channels without markup, and as what a phone shows first."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from dogwatch.model import Block, Consent, Fields, Items, Message, Priority, Quote, Severity, Steps, Text
from dogwatch.model.text import one_line

PRIORITY = {
    Severity.INFO: Priority.low,
    Severity.WARNING: Priority.normal,
    Severity.ERROR: Priority.high,
    Severity.CRITICAL: Priority.urgent,
}
"""How urgently somebody should hear of it, by severity."""
_LINE = 1_000
_QUOTED = 4_000


def priority(message: Message) -> Priority:
    """How urgently somebody should read it."""
    return PRIORITY[message.severity]


def subject(message: Message) -> str:
    """A line for a mail's subject."""
    return f"[dogwatch][{priority(message).value.upper()}] {one_line(message.title, 200)}"


def text(message: Message, largest: int = 60_000) -> str:
    """The whole message; beyond ``largest`` characters it is cut, and says so."""
    lines = [one_line(message.title, 300), ""]
    zone = ZoneInfo(message.timezone)
    for block in message.blocks:
        lines += [*_lines(block, zone), ""]
    whole = "\n".join(lines).rstrip() + "\n"
    return whole if len(whole) <= largest else f"{whole[:largest].rstrip()}\n… (cut here)\n"


def quoted_lines(quote: Quote) -> list[str]:
    """What a quote says, line by line, without what a terminal or a reader could stumble over."""
    text = quote.text if len(quote.text) <= _QUOTED else f"{quote.text[:_QUOTED]} …"
    found = [one_line(line, _LINE) for line in text.splitlines()]
    return [line for line in found if line] or [""]


def origin(quote: Quote, zone: ZoneInfo) -> str:
    """Id, source and time of what is quoted."""
    when = "" if quote.at is None else f" · {quote.at.astimezone(zone):%d %b %H:%M}"
    return f"{one_line(quote.evidence, 40)[:8]} · {one_line(quote.source, 120)}{when}"


def is_link(target: str) -> bool:
    """Whether a step's second half is an address that may be followed, and not a command."""
    return target.startswith(("https://", "http://")) and not any(
        char.isspace() or not char.isprintable() or char in "<>|\"'`\\" for char in target
    )


def _lines(block: Block, zone: ZoneInfo) -> Iterable[str]:
    match block:
        case Text(text=said):
            return [one_line(said, _LINE)]
        case Fields(fields=fields):
            return _table(fields)
        case Quote():
            return [origin(block, zone), *(f"  | {line}" for line in quoted_lines(block))]
        case Items(title=title, items=items):
            return [
                *([f"{one_line(title)}:"] if title else []),
                *(f"- {one_line(item, _LINE)}" for item in items),
            ]
        case Steps(steps=steps):
            return ["next:", *(f"- {step}" for step in _steps(steps))]
        case Consent():
            return consent_lines(block)


def consent_lines(block: Consent) -> list[str]:
    """What waits for consent, and how it is given without a button."""
    action = one_line(block.action, 60)
    return [
        f"waits for your consent: {one_line(block.label, 300)}",
        f"why it asks: {one_line(block.why, 300)}",
        f"- dogwatch actions approve {action}",
        f"- dogwatch actions reject {action}",
    ]


def _steps(steps: Sequence[tuple[str, str]]) -> Iterable[str]:
    for said, target in steps:
        yield one_line(said, 400) + (f": {one_line(target, _LINE)}" if target else "")


def _table(fields: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(one_line(label, 40)) for label, _ in fields), default=0)
    return [f"{one_line(label, 40):<{width}}  {one_line(value, _LINE * 8)}" for label, value in fields]
