"""Is anything wrong? One sentence for the head of every report."""

from dogwatch.model.overview import Overview
from dogwatch.model.text import plural, span


def verdict(found: Overview) -> tuple[str, str]:
    """(severity word, ``blind`` or ``well``; sentence)."""
    wrong = [one for one in found.incidents if one.state.live and one.wrong and not one.muted]
    blind = [one for one in found.platforms if one.blind_since is not None]
    if found.last_round_at is None:
        return "blind", "Nothing has been looked at yet."
    if found.stale_since is not None:
        ago = span((found.at - found.stale_since).total_seconds())
        open_then = plural(len(wrong), "incident was", "incidents were")
        known = f"{open_then} open then" if wrong else "all was well then"
        return "blind", f"No round for {ago}; {known}, nobody knows now."
    if wrong:
        worst = max(wrong, key=lambda one: one.severity.rank).severity.value.lower()
        unseen = f", {plural(len(blind), 'platform')} blind" if blind else ""
        return worst, f"{plural(len(wrong), 'incident')} open{unseen}."
    if blind:
        return "blind", f"No incident, but {plural(len(blind), 'platform')} cannot be seen."
    return "well", "Everything as expected."
