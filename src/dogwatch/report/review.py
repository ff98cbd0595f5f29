"""A review for people: figures, trend, and what was wrong."""

from rich.text import Text

from dogwatch.model.review import Judged, Review, Scores, Tally
from dogwatch.model.text import one_line
from dogwatch.report.lines import hanging, page, wrap

_BARS = "▁▂▃▄▅▆▇█"
_INDENT = 12


def _figure(tally: Tally) -> str:
    share = "-" if tally.share is None else f"{tally.share:.0%}"
    return (
        f"{share} right of what is known ({tally.right} right, {tally.wrong} wrong, {tally.unknown} unknown)"
    )


def trend(scores: list[float | None]) -> str:
    """A row of bars, 0 to 1; a dot where nothing was known."""
    return "".join("·" if one is None else _BARS[min(7, int(one * 8))] for one in scores)


def terminal(found: Review, width: int) -> Text:
    """For a terminal."""
    today = found.at.date()  # as the figures are kept: once a day, by UTC
    history: list[Scores] = [*(one for one in found.trend[-30:] if one.at.date() < today), found.now]
    rows = [
        ("alerts", _figure(found.now.alerts)),
        ("causes", _figure(found.now.causes)),
        ("actions", _figure(found.now.actions)),
        ("people", "nobody gave a score" if found.now.feedback is None else f"{found.now.feedback:g} of 100"),
        ("trend", f"alerts {trend([one.alerts.share for one in history])}"),
        ("", f"causes {trend([one.causes.share for one in history])}"),
    ]
    rows += [
        ("counts less", f"{name}: {weight:g}") for name, weight in found.now.weights.items() if weight < 1
    ]
    for one in found.cases:
        for what, judged, why in (("alert", one.alert, one.alert_why), ("cause", one.cause, one.cause_why)):
            if judged is Judged.wrong:
                rows.append(("wrong", f"{one.incident}, {what}: {why}: {one.title}"))
    what = "1 incident" if len(found.cases) == 1 else f"{len(found.cases)} incidents"
    lines = [Text(f"{what} since {found.since:%d %b}", "bold"), Text()]
    for label, said in rows:
        head = Text.assemble(" ", (label, "bold"))
        lines += hanging(head, wrap(one_line(said, 400), width - _INDENT), _INDENT)
    return page(lines)
