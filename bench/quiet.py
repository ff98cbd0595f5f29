"""A quiet month: how often dogwatch wakes somebody for nothing, and what a round over it costs.

    python bench/quiet.py                     30 days of the audit estate, 2,880 rounds; exit code 1 on a miss
    python bench/quiet.py --days 2 --seed 7   a sample

Nothing is broken: every finding of WARNING or worse is a false alarm. The days before the last of March or
October hold a Monday peak each week and the night in which clocks change; dogwatch reads the platforms of the
lab over its real connectors, after 30 days of history.
"""

import argparse
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from statistics import quantiles

from dogwatch.cli.lab import opener
from dogwatch.lab.estate import load_estate
from dogwatch.lab.run import watch
from dogwatch.lab.scenario import Scenario
from dogwatch.lab.serve import Lab
from dogwatch.model import Severity
from dogwatch.model.report import CheckReport

ENDS = {"spring": datetime(2026, 4, 9, 6, 30, tzinfo=UTC), "autumn": datetime(2026, 11, 5, 6, 30, tzinfo=UTC)}
"""Eleven days after Berlin's clocks change."""
_ALLOWED = 1


class Listener:
    """Counts what is told, and how long each round takes."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.told: list[str] = []
        self.notes: Counter[str] = Counter()
        self.seconds: list[float] = []
        self._last = time.perf_counter()

    def __call__(self, lab: Lab, report: CheckReport) -> None:
        """Hear of one round."""
        now = time.perf_counter()
        self.seconds.append(now - self._last)
        self._last = now
        loud = {f.fingerprint: f for f in report.findings if f.severity.rank >= Severity.WARNING.rank}
        for fingerprint in loud.keys() - self.open:
            finding = loud[fingerprint]
            self.told.append(f"{report.at:%d %b %H:%M}  {finding.severity.value}  {finding.summary}")
        self.open = set(loud)
        self.notes.update(
            finding.rule
            for finding in report.findings
            if finding.severity is Severity.INFO and finding.fingerprint in report.new
        )


def main() -> int:
    """Watch the month, print what was told and the goals."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--season", choices=sorted(ENDS), default="spring")
    given = parser.parse_args()
    scenario = Scenario(
        id="quiet",
        estate=load_estate("audit"),
        now=ENDS[given.season],
        seed=given.seed,
        watch=timedelta(days=given.days),
    )
    heard = Listener()
    night = watch(scenario, opener, timer=time.perf_counter, seen=heard)
    p50, p95 = (quantiles(heard.seconds, n=20)[at] for at in (9, 18))
    print(f"{given.season}, seed {given.seed}: {len(night.reports)} rounds over {given.days:g} days")
    print(f"took {night.wall_seconds:.0f} s; a round {1000 * p50:.0f} ms (95 %: {1000 * p95:.0f} ms)")
    print("notes: " + (", ".join(f"{rule} {count}" for rule, count in heard.notes.most_common()) or "none"))
    print(f"false findings of WARNING or worse: {len(heard.told)} (≤ {_ALLOWED})")
    for line in heard.told:
        print(f"  {line}")
    return 1 if len(heard.told) > _ALLOWED else 0


if __name__ == "__main__":
    sys.exit(main())
