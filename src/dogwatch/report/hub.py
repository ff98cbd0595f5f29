"""What ``dogwatch hub`` says: how the copy stands, what was sent, what differs, and the statements for it."""

from collections.abc import Iterable, Sequence

from rich.text import Text

from dogwatch.model.hub import HubTable, HubVerdict, HubView
from dogwatch.model.text import one_line, plural
from dogwatch.report import words
from dogwatch.report.lines import hanging, page, wrap

_MARKS = {
    "none": ("○", "dim"),
    "whole": ("○", ""),
    "behind": ("◐", "bold yellow"),
    "failing": ("●", "bold red"),
}
_WORDS = {"runs": "run attempt", "incidents": "incident", "rounds": "round"}


def status(view: HubView, width: int, program: str = "dogwatch") -> Text:
    """A sentence, and what to do if it is not well."""
    mark, style = _MARKS[view.state]
    lines = hanging(Text(mark, style=style), wrap(words.hub(view), width - 2), 2)
    if view.sent:
        done = ", ".join(plural(number, _WORDS[name]) for name, number in view.sent.items() if number)
        lines += hanging(Text(), wrap(f"confirmed just now: {done or 'nothing new'}", width - 2), 2)
    for number, step in enumerate(steps(view, program)):
        label = Text("  next" if number == 0 else "", style="dim")
        lines += hanging(label, wrap(step, width - 8), 8)
    return page(lines)


def steps(view: HubView, program: str = "dogwatch") -> list[str]:
    """What to do about it."""
    if view.state == "none":
        return ["add hub: to dogwatch.yaml, then: " + f"{program} hub ddl"]
    if view.state in ("failing", "behind"):
        hint = one_line(view.hint, 200)
        return [*([hint] if hint else []), f"{program} hub sync"]
    return []


def verdict(found: HubVerdict, width: int, program: str = "dogwatch") -> Text:
    """Counts of each table, the differences by name, and what to do about them."""
    bad = found.differing
    mark, style = ("●", "bold red") if bad else ("◐", "bold yellow") if found.waiting else ("○", "")
    if bad:
        said = f"{plural(bad, 'record')} of {one_line(found.place, 200)} differ{'s' if bad == 1 else ''}"
    elif found.waiting:
        said = f"{plural(found.waiting, 'record')} not sent yet; all others are the same"
    else:
        said = f"{one_line(found.place, 200)} holds the same as the store"
    lines = [*hanging(Text(mark, style=style), wrap(said, width - 2), 2), Text()]
    size = max(len(one.table) for one in found.tables)
    for table in found.tables:
        label = Text(f"  {table.table.lower()}", style="dim")
        lines += hanging(label, wrap(" · ".join(_counts(table)), width - size - 4), size + 4)
    for one in found.differences:
        label = Text(f"  {one.what}", style="bold red")
        lines += hanging(label, wrap(f"{one.table.lower()}: {one_line(one.name, 300)}", width - 13), 13)
    if bad > len(found.differences):
        lines.append(Text(f"  and {bad - len(found.differences):,} more", style="dim"))
    if bad or found.waiting:
        step = f"{program} hub sync --all" if bad else f"{program} hub sync"
        lines += [Text(), *hanging(Text("  next", style="dim"), [step], 8)]
    return page(lines)


def _counts(table: HubTable) -> Iterable[str]:
    yield f"{table.here:,} here, {table.there:,} there, {table.same:,} the same"
    for number, said in (
        (table.waiting, "not sent yet"),
        (table.missing, "missing"),
        (table.different, "different"),
        (table.doubled, "doubled"),
        (table.more, "that this store does not know"),
    ):
        if number:
            yield f"{number:,} {said}"


def statements(tables: Sequence[str], grants: Sequence[str]) -> str:
    """The DDL as a script: safe to run again."""
    parts = [
        "-- The tables of dogwatch's hub. Run this as the owner of the schema; running it again is safe.",
        *(f"{one};" for one in tables),
        "-- What the role that writes needs, and nothing else.",
        *(f"{one};" for one in grants),
    ]
    return "\n\n".join(parts)
