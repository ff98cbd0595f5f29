"""What ``dogwatch doctor`` says: a line for each connector, and what to do where it is not well."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.text import Text

from dogwatch.model.call import Organ
from dogwatch.model.keeping import StoreView
from dogwatch.model.report import Diagnosis
from dogwatch.model.text import one_line, span
from dogwatch.report import words
from dogwatch.report.keeping import store
from dogwatch.report.lines import hanging, page, wrap

_FAULTS = {
    "credentials": "reachable, but it refuses our credentials",
    "permission": "reachable and authenticated, but not permitted",
    "rate_limited": "reachable, but it asks us to wait",
    "unreachable": "not reachable",
    "unexpected": "reachable, but its answer is not understood",
}
_NOTABLE_SKEW = 60.0


def ward(
    diagnoses: Sequence[Diagnosis],
    zone: ZoneInfo,
    now: datetime,
    width: int,
    kept: StoreView | None = None,
    organs: Sequence[Organ] = (),
) -> Text:
    """All connectors, in the order of dogwatch.yaml, below the store; then the parts of the watch."""
    indent = 4 + max((len(one.instance) for one in diagnoses), default=0)
    lines: list[Text] = []
    if kept is not None:
        indent = max(indent, 4 + len("store"))
        lines += hanging(Text("○ store"), wrap(store(kept), width - indent), indent)
    for one in diagnoses:
        mark, style = ("○", "") if one.ok else (words.BLIND_MARK, "bold blue")
        label = Text.assemble((f"{mark} ", style), (one.instance, style))
        lines += hanging(label, wrap(sentence(one, zone, now), width - indent), indent)
        for step in () if one.ok else words.next_steps(one.hint):
            label = Text(" " * indent + "next", style="dim")
            lines += hanging(label, wrap(step, width - indent - 6), indent + 6)
    aside = 4 + max((len(one.name) for one in organs), default=0)
    for organ in organs:
        mark, style = ("○", "") if organ.ok else ("●", "bold red")
        label = Text.assemble((f"{mark} ", style), (organ.name, style))
        lines += hanging(label, wrap(one_line(organ.line, 400), width - aside), aside)
        if organ.hint:
            label = Text(" " * aside + "next", style="dim")
            lines += hanging(label, wrap(organ.hint, width - aside - 6), aside + 6)
    return page(lines)


def sentence(one: Diagnosis, zone: ZoneInfo, now: datetime) -> str:
    """Reachable, authenticated, permitted, and how fresh; or what stands in the way."""
    said = one_line(one.line, 400)
    state = f"reachable, authenticated, permitted: {said}" if one.ok else f"{_FAULTS[one.fault]}: {said}"
    parts = [state]
    if one.read_until is not None:
        parts.append(f"last read whole {words.since(one.read_until, now, zone)}")
    elif one.ok:
        parts.append("not read by a round yet")
    skew = one.skew_seconds
    if skew is not None and abs(skew) >= _NOTABLE_SKEW:
        parts.append(f"its clock is {span(skew)} {'ahead of' if skew > 0 else 'behind'} this machine")
    return " · ".join(parts)
