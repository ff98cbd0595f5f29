"""What is looked up one by one in turn, some of it in each round, because each costs a request."""

import math
from bisect import bisect_right
from collections.abc import Set as AbstractSet
from datetime import timedelta

from dogwatch.model import Run
from dogwatch.wire.connector import Ask

WATCH = timedelta(hours=48)
"""So long after it began a bad run is looked up again, in case it was repaired between two rounds."""
FRESH = timedelta(hours=1)
"""So long after its end in every round."""
LEAST = 8
"""Of the others so many are looked up in each round; as few are all looked up in each."""
WITHIN = timedelta(hours=6)
"""However many there are, each is looked up once in this time."""


def whose_turn(ask: Ask, listed: AbstractSet[str]) -> tuple[list[str], str]:
    """Of the broken jobs' last runs, those that this round looks up, by native id, and what ``Ask.resume``
    has to be next; empty if nothing is left for later. Those that were ``listed`` need no looking up.

    The others go round in the order of their ids, so each comes up in ``WITHIN`` whoever joins or leaves
    meanwhile, and after a long pause all do. All do as well where nobody may wait: see ``Ask.urgent``.
    """
    last = {key: run for key, run in _last_bad(ask).items() if key not in listed}
    fresh = [key for key, run in last.items() if (run.ended_at or run.began_at) >= ask.now - FRESH]
    ring = sorted(last.keys() - fresh)
    share = 1.0 if ask.urgent or ask.previous is None else (ask.now - ask.previous) / WITHIN
    count = max(LEAST, math.ceil(len(ring) * share))
    if count >= len(ring):
        return fresh + ring, ""
    start = bisect_right(ring, ask.resume)
    some = (ring + ring)[start : start + count]
    return fresh + some, some[-1]


def _last_bad(ask: Ask) -> dict[str, Run]:
    """The newest run of each broken job, as far as it is one to watch."""
    latest: dict[str, Run] = {}
    for run in ask.known.values():
        settled = run.job_id in ask.broken and not run.status.open
        if settled and (run.job_id not in latest or run.began_at > latest[run.job_id].began_at):
            latest[run.job_id] = run
    return {
        run.native_run_id: run
        for run in latest.values()
        if not run.status.good and run.began_at >= ask.now - WATCH
    }
