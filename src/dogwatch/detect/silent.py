"""Who keeps the watch and has fallen silent."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dogwatch.detect.facts import Detection
from dogwatch.model import Evidence, EvidenceKind, Finding, Severity, content_id
from dogwatch.model.call import Watcher
from dogwatch.model.text import one_line, span

SILENT = timedelta(minutes=3)
"""A watcher gives a sign of life every few seconds; one that gave none for so long is gone."""
FORGOTTEN = timedelta(days=7)
"""After so long nobody waits for it any more."""
WORKER = "worker "
"""Names of workers begin so. They may come and go: what one leaves others take over."""
RULE = "silent_watcher"
PEER = "peer"
"""The holder of those that watch another store."""


def silent_watchers(watchers: Sequence[Watcher], now: datetime) -> Detection:
    """A finding for each watcher that ended without saying so; worse if nobody took over."""
    found = Detection()
    awake = [
        one.name
        for one in watchers
        if one.stopped_at is None and one.holder != PEER and now - one.seen_at <= SILENT
    ]
    for one in watchers:
        quiet = now - one.seen_at
        if one.name.startswith(WORKER) or one.stopped_at is not None or not SILENT < quiet <= FORGOTTEN:
            continue
        subject = f"watcher/{one_line(one.name, 80)}"
        after = f"{one_line(awake[0], 80)} keeps the watch" if awake else "nobody keeps the watch"
        evidence = Evidence.of(
            EvidenceKind.alert,
            source="watchers",
            subject=subject,
            content={"began_at": one.began_at.isoformat(), "seen_at": one.seen_at.isoformat()},
            at=one.seen_at,
        )
        found.add(
            [
                Finding(
                    rule=RULE,
                    subject=subject,
                    severity=Severity.WARNING if awake else Severity.ERROR,
                    summary=f"The watcher {one_line(one.name, 80)} fell silent"
                    f" {span(quiet.total_seconds())} ago; {after}",
                    evidence=found.cite(evidence),
                    fingerprint=content_id([RULE, one.name, one.seen_at.isoformat()]),
                    at=one.seen_at,
                    next_step="look after it on its machine, and start it again: dogwatch watch",
                )
            ]
        )
    return found
