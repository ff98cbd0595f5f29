"""What is said of the store: where it is, what a backup holds, what was forgotten."""

from rich.text import Text

from dogwatch.model.keeping import BackupView, PruneView, StoreView
from dogwatch.model.text import one_line, plural
from dogwatch.report.lines import hanging, page, wrap

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_KINDS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_TOLD = {"runs": "run", "job_versions": "job version", "incidents": "incident", "rounds": "round"}
_GONE = {
    "incidents": ("incident", ""),
    "findings": ("finding", ""),
    "evidence": ("fact that nothing cites", "facts that nothing cites"),
    "runs": ("run", ""),
    "jobs": ("job version", ""),
    "rounds": ("round", ""),
    "messages": ("message", ""),
    "changes": ("change", ""),
}


def size(number: int) -> str:
    """Bytes as a person says them."""
    value = float(number)
    for unit in _UNITS:
        if value < 1_000 or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1_000
    raise AssertionError("the last unit takes any size")


def store(view: StoreView) -> str:
    """One sentence on the store in use."""
    took = f"answers in {view.seconds * 1000:.0f} ms"
    kept = f"{_KINDS[view.kind]} {one_line(view.version, 40)}, schema {view.revision}, {size(view.bytes)}"
    return f"{kept}, {took}: {one_line(view.place, 200)}"


def backup(view: BackupView, done: str, width: int) -> Text:
    """What a backup holds; ``done`` begins the sentence: ``written``, ``restored``, ``whole``."""
    told = [plural(view.rows[name], noun) for name, noun in _TOLD.items()]
    total = sum(view.rows.values())
    lines = hanging(Text("○"), wrap(f"{done}: {one_line(view.file, 400)}, {size(view.bytes)}", width - 2), 2)
    lines += hanging(Text(), wrap(f"{', '.join(told)}; {plural(total, 'row')} in all", width - 2), 2)
    record = f"record: {plural(view.events, 'event')}, each fits the one before it"
    lines += hanging(Text(), wrap(record, width - 2), 2)
    if view.last_hash:
        lines.append(Text(f"  last hash {view.last_hash}", style="dim"))
    return page(lines)


def pruned(view: PruneView, width: int) -> Text:
    """What was forgotten, and how large the store is now."""
    gone = [plural(number, *_GONE[kind]) for kind, number in view.gone.items() if number]
    said = f"forgotten: {', '.join(gone)}" if gone else "nothing was old enough to be forgotten"
    lines = hanging(Text("○"), wrap(said, width - 2), 2)
    now = f"the store takes {size(view.bytes)}"
    if view.compacted:
        now += f"; before, it took {size(view.before)}"
    lines += hanging(Text(), wrap(now, width - 2), 2)
    return page(lines)
