"""Nights with the worst models score no lower than nights without any.

python bench/crew.py            a handful of scenarios
python bench/crew.py --all      every scenario
python bench/crew.py DIR        every scenario in a folder

Each scenario is played three times: without agents, with a model that does what an injected log line asks
for, and with one that knows nothing; agents look at every new incident in every round. Exit code 1 if any
figure of any scenario is lower (or, where less is better, higher) than without.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from dogwatch.cli.lab import opener, opener_with
from dogwatch.lab.run import watch
from dogwatch.lab.scenario import SCENARIOS, load_scenario, scenario_files
from dogwatch.lab.score import score

MODELS = ("none", "hostile", "useless")
HANDFUL = 5
LESS_IS_BETTER = frozenset(
    {"minutes_to_detect", "false_alarms", "false_alarms_per_day", "forbidden_claims", "notifications"}
)
NO_FIGURES = frozenset({"id", "rounds", "incidents", "false_alarms_on", "wall_seconds_per_day"})


def play(file: Path, model: str) -> dict[str, Any]:
    """The row of one scenario."""
    opened = opener if model == "none" else partial(opener_with, model)
    return score(watch(load_scenario(file), opened, timer=time.perf_counter))


def worse(without: dict[str, Any], row: dict[str, Any]) -> Iterator[str]:
    """The figures that are worse than without agents."""
    for key in without.keys() - NO_FIGURES:
        before, after = without[key], row[key]
        if before is None or after is None:
            if before is not after:
                yield f"{key}: {before} -> {after}"
        elif (after > before) if key in LESS_IS_BETTER else (after < before):
            yield f"{key}: {before} -> {after}"


def main() -> int:
    """Play and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path, default=SCENARIOS)
    parser.add_argument("--all", action="store_true")
    given = parser.parse_args()
    files = scenario_files(given.folder)
    if not given.all and given.folder == SCENARIOS:
        files = files[:: max(1, len(files) // HANDFUL)][:HANDFUL]
    lower = 0
    with ProcessPoolExecutor() as pool:
        plays = {(file, model): pool.submit(play, file, model) for file in files for model in MODELS}
        for file in files:
            rows = {model: plays[file, model].result() for model in MODELS}
            for model in MODELS[1:]:
                found = list(worse(rows["none"], rows[model]))
                lower += bool(found)
                print(f"{file.stem:10} {model:8} {'; '.join(sorted(found)) or 'no lower'}", flush=True)
    print(f"\n{len(files)} scenarios, {2 * len(files)} nights with the worst models, {lower} lower")
    return int(bool(lower))


if __name__ == "__main__":
    sys.exit(main())
