"""Root causes against the baselines of the shared benchmark: culprits, error classes, and a running stream.

Each task is exported without its labels, answered by ``dogwatch causes`` in the form that users call, and
scored by the benchmark's own scorer, whose baselines run beside it. Then every weight is turned down and up
by a quarter, to show how much the figures hang on it. Needs the folder ``shared/rca`` beside the project,
and numpy.

    python bench/causes.py [--split dev] [--no-baselines]
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from dogwatch.causes import evidence
from dogwatch.causes.evidence import Kind, weigh
from dogwatch.causes.exported import read_case
from dogwatch.causes.rank import Background, gather

RCA = Path(__file__).parents[1] / ".." / "shared" / "rca"
VERBS = {"metrics": "rank", "alerts": "rank", "replay": "replay", "errors": "classify"}
QUARTER = (0.75, 1.25)


def scorer() -> ModuleType:
    """The benchmark's own program."""
    path = RCA / "score.py"
    if not path.exists():
        sys.exit(f"{path} is not there; this benchmark cannot run without it")
    spec = importlib.util.spec_from_file_location("rca_score", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer(score: ModuleType, data: Path, task: str, folder: Path) -> tuple[list[dict[str, Any]], float]:
    """What ``dogwatch causes`` says to a task, and the seconds it took as a process of its own."""
    cases, answers = folder / f"{task}.jsonl.gz", folder / f"{task}.answers.jsonl"
    score.export(data, task, str(cases))
    verb = VERBS[score.TASKS[task]]
    started = time.perf_counter()
    command = [sys.executable, "-m", "dogwatch", "causes", verb, str(cases), "--out", str(answers)]
    subprocess.run(command, check=True)
    return cast("list[dict[str, Any]]", score.read_lines(answers)), time.perf_counter() - started


def by_repository(score: ModuleType, data: Path, answers: list[dict[str, Any]]) -> Iterator[str]:
    """How many messages of each source repository are classified rightly; repositories with one message
    together."""
    said = {row["case"]: row["cause_class"] for row in answers}
    strict, lenient, size = Counter[str](), Counter[str](), Counter[str]()
    labels = score.load_labels(data, "errors")
    several = Counter("/".join(row["source"].split("/")[3:5]) for row in labels)
    for row in labels:
        repository = "/".join(row["source"].split("/")[3:5])
        name = repository if several[repository] > 1 else "repositories with one message"
        size[name] += 1
        strict[name] += said[row["case"]] == row["cause_class"]
        lenient[name] += said[row["case"]] in (row["cause_class"], row["alt_class"])
    yield "| repository | n | strict | lenient |"
    yield "| --- | --- | --- | --- |"
    for name, n in size.most_common():
        yield f"| {name} | {n} | {strict[name] / n:.2f} | {lenient[name] / n:.2f} |"


@contextmanager
def turned(kind: Kind, factor: float) -> Iterator[None]:
    """One weight changed."""
    weights = cast("dict[Kind, float]", evidence.WEIGHT)
    before = weights[kind]
    weights[kind] = before * factor
    try:
        yield
    finally:
        weights[kind] = before


def sensitivity(score: ModuleType, data: Path, tasks: list[str]) -> Iterator[str]:
    """AC@1 of each ranking task as it stands, and its range when one weight at a time is turned by a
    quarter."""
    hits: dict[str, list[float]] = defaultdict(list)
    for task in tasks:
        cases = [read_case(row) for row in score.load_cases(data, task)]
        truth = {row["case"]: row["node"] for row in score.load_labels(data, task)}
        background = Background(cases)
        facts = [(case, gather(case, background)) for case in cases]

        def share(facts: Any = facts, truth: Any = truth) -> float:
            first = ((c, weigh(c.nodes, c.edges, found, c.front_door)[0].node) for c, found in facts)
            return float(sum(truth[case.case] == node for case, node in first) / len(truth))

        hits[task].append(share())
        for kind in Kind:
            for factor in QUARTER:
                with turned(kind, factor):
                    hits[task].append(share())
    yield "| task | AC@1 | lowest | highest |"
    yield "| --- | --- | --- | --- |"
    for task, found in hits.items():
        yield f"| {task} | {found[0]:.3f} | {min(found):.3f} | {max(found):.3f} |"


def main() -> None:
    """Print the tables."""
    wanted = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wanted.add_argument("--split", default="dev", help="folder below the benchmark's data")
    wanted.add_argument("--no-baselines", action="store_true", help="only dogwatch, which is quicker")
    given = wanted.parse_args()
    score = scorer()
    data = RCA / "data" / given.split
    rows: list[tuple[str, str, dict[str, Any]]] = []
    seconds: dict[str, float] = {}
    repositories: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for task in score.TASKS:
            if not given.no_baselines:
                rows += [(task, name, result) for name, result in score.baselines(data, task).items()]
            answers, seconds[task] = answer(score, data, task, Path(folder))
            rows.append((task, "dogwatch", score.score(data, task, answers)))
            if task == "errors":
                repositories = list(by_repository(score, data, answers))
    score.show(rows, as_json=False, details=False)
    print("\n".join(repositories), end="\n\n")
    ranking = [task for task, kind in score.TASKS.items() if kind in ("metrics", "alerts")]
    print("\n".join(sensitivity(score, data, ranking)), end="\n\n")
    print("seconds, start of the process included:", json.dumps({k: round(v, 1) for k, v in seconds.items()}))


if __name__ == "__main__":
    main()
