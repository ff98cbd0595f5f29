"""Log templates: how right, how fast and how big dogwatch is beside drain3, and beside reading alone.

    python bench/logs.py --drain3 PYTHON      everything; exit code 1 if a goal is missed
    python bench/logs.py --only speed --runs 5
    python bench/logs.py --quick              the largest logs are left out

PYTHON is an interpreter that has drain3 (pip install drain3 into an environment of its own); without one, its
lines are left out and that is said. Every run is a whole process, start to exit; contenders take turns, and
the best of the runs counts. Seconds are of processor time (user and system, all of it on one core), since a
busy machine makes everybody wait but nobody work more. Memory is the peak of the process (ru_maxrss). drain3
masks addresses and numbers as its own example does. Logs are made from the invented systems of tests/support,
but for those labelled logs beside the project (../shared/logs) that are there.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from dogwatch.logs.miner import Miner  # noqa: E402
from support.logs_corpus import SYSTEMS, corpus  # noqa: E402
from support.logs_score import score  # noqa: E402

SHARED = ROOT / ".." / "shared" / "logs" / "bench_logs.py"
DRAIN3 = r"""
import sys
from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig
edge = r"((?<=[^A-Za-z0-9])|^)(%s)((?=[^A-Za-z0-9])|$)"
config = TemplateMinerConfig()
config.masking_instructions = [
    MaskingInstruction(edge % pattern, name)
    for pattern, name in (
        (r"(?:[0-9a-f]{2,}:){3,}[0-9a-f]{2,}", "ID"), (r"\d{1,3}(?:\.\d{1,3}){3}", "IP"),
        (r"(?:[0-9a-f]{6,} ?){3,}", "SEQ"), (r"0x[a-fA-F0-9]+", "HEX"), (r"[-+]?\d+", "NUM"),
    )
]
miner = TemplateMiner(config=config)
with open(sys.argv[1], encoding="utf-8", errors="replace", newline="\n") as file:
    for line in file:
        miner.add_log_message(line.rstrip("\n"))
print(len(miner.drain.clusters))
"""
MSGSPEC = """
import sys, msgspec
decode = msgspec.json.Decoder().decode
with open(sys.argv[1], "rb") as file:
    for line in file:
        decode(line)
"""
MINE = [sys.executable, "-m", "dogwatch", "logs", "mine"]


@dataclass(frozen=True, slots=True)
class Took:
    """The best of some runs."""

    seconds: float
    """Of processor time."""
    mib: float
    """Peak of memory in MiB."""


def run(words: list[str]) -> Took:
    """One process, start to exit."""
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, use = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"exit {child.returncode}: {' '.join(words[:6])}")
    return Took(use.ru_utime + use.ru_stime, use.ru_maxrss / 1024)


def best(contenders: dict[str, list[str]], runs: int) -> dict[str, Took]:
    """The quickest run of each, and its memory; they take turns."""
    took: dict[str, list[Took]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name, words in contenders.items():
            took[name].append(run(words))
    return {name: Took(min(t.seconds for t in ts), min(t.mib for t in ts)) for name, ts in took.items()}


class Bench:
    """What is measured, and which goals were missed."""

    def __init__(self, folder: Path, drain3: str | None, runs: int, quick: bool) -> None:
        self.folder = folder
        self.drain3 = drain3
        self.runs = runs
        self.quick = quick
        self.missed: list[str] = []

    def goal(self, what: str, value: float, least: float) -> None:
        """Say what was reached, and note if it is not enough."""
        met = value >= least
        print(f"  {'met   ' if met else 'MISSED'} {what}: {value:.2f} (goal {least:.2f})")
        if not met:
            self.missed.append(what)

    def write(self, name: str, lines: Iterator[str]) -> tuple[Path, int]:
        """A log, and how many lines it has."""
        path, n = self.folder / name, 0
        with path.open("w", encoding="utf-8", newline="\n") as file:
            while some := list(islice(lines, 10_000)):
                file.write("\n".join(some) + "\n")
                n += len(some)
        return path, n

    def beside(self, path: Path) -> dict[str, Took]:
        """dogwatch and, if it is there, drain3 on one log."""
        contenders = {"dogwatch": [*MINE, str(path)]}
        if self.drain3:
            contenders["drain3"] = [self.drain3, "-c", DRAIN3, str(path)]
        return best(contenders, self.runs)

    def tell(self, label: str, n: int, took: dict[str, Took]) -> float:
        """One line of the table; returns how many times as fast as drain3."""
        ours = took["dogwatch"]
        line = f"{label:<28} {n / ours.seconds:>11,.0f} lines/s {ours.mib:>6,.0f} MiB"
        peer = took.get("drain3")
        if peer is None:
            print(line)
            return 0.0
        ratio = peer.seconds / ours.seconds
        print(f"{line}   drain3 {n / peer.seconds:>9,.0f} lines/s {peer.mib:>5,.0f} MiB   ratio {ratio:5.1f}")
        return ratio

    # ── what is measured ───────────────────────────────────────────────────────────────────────────────────

    def accuracy(self) -> None:
        """The invented systems, and the labelled logs beside the project."""
        print(f"accuracy on {len(SYSTEMS)} invented systems (grouping, its F1, text, its F1)")
        for lines in (300, 2000):
            found = [score(log.truth, assign(log.messages)) for log in (corpus(s, lines) for s in SYSTEMS)]
            means = [
                fmean(getattr(s, name) for s in found)
                for name in ("grouping", "grouping_f1", "text", "text_f1")
            ]
            print(f"  {lines:>5} lines each: " + "  ".join(f"{mean:.3f}" for mean in means))
        if not SHARED.exists():
            print("  skipped: no labelled logs beside the project")
            return
        words = [sys.executable, str(SHARED), "acc", "--gate", ".98,.95,.90,.82", "--command"]
        command = " ".join([*MINE, "{file}", "--assign", "{out}"])
        if subprocess.run([*words, command], check=False).returncode:
            self.missed.append("accuracy on the labelled logs")

    def speed(self) -> None:
        """A million lines of many systems, names of random letters, and small logs."""
        path, n = self.mix(1_000_000)
        ratio = self.tell("mix, 1 M lines", n, took := self.beside(path))
        self.goal("million lines a second on the mix", n / took["dogwatch"].seconds / 1e6, 0.9)
        self.goal("MiB left of 250", 250 - took["dogwatch"].mib, 0)
        if self.drain3:
            self.goal("times as fast as drain3 on the mix", ratio, 15)
        path, n = self.write("ids.txt", ids(200_000))
        ratio = self.tell("names of random letters", n, self.beside(path))
        if self.drain3:
            self.goal("times as fast as drain3 on random letters", ratio, 1)
        for name in sorted(SYSTEMS)[:4]:
            path, n = self.write(f"{name}.txt", iter(corpus(name).messages))
            ratio = self.tell(f"small: {name}", n, self.beside(path))
            if self.drain3:
                self.goal(f"times as fast as drain3 on {name}", ratio, 1)

    def growth(self) -> None:
        """Speed and memory as lines and as templates grow."""
        peaks = []
        for lines in (10_000, 100_000, 1_000_000, *(() if self.quick else (4_000_000,))):
            path, n = self.mix(lines)
            took = best({"dogwatch": [*MINE, str(path)]}, self.runs)
            self.tell(f"mix, {lines:,} lines", n, took)
            peaks.append(took["dogwatch"].mib)
        self.goal("memory at 1 M lines over memory at the most", peaks[2] / peaks[-1], 0.9)
        for templates in (100, 1000, 10_000):
            path, n = self.write(f"t{templates}.txt", many_templates(templates, 300_000))
            self.tell(f"{templates:,} templates", n, self.beside(path))

    def json(self) -> None:
        """Cloud Logging entries, end to end, beside decoding them and nothing else."""
        if not SHARED.exists():
            print("skipped: bench_logs.py, which makes the entries, is not beside the project")
            return
        path = self.folder / "cloud.jsonl"
        size = "0.2" if self.quick else "1"
        subprocess.run(
            [sys.executable, str(SHARED), "genjson", "--gb", size, "--out", str(path)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        took = best(
            {"dogwatch": [*MINE, str(path)], "msgspec": [sys.executable, "-c", MSGSPEC, str(path)]}, self.runs
        )
        for name, t in took.items():
            print(f"{size} GB of entries: {name:<9} {t.seconds:6.2f} s {t.mib:>6,.0f} MiB")
        self.goal(
            "time of msgspec's decoding over ours", took["msgspec"].seconds / took["dogwatch"].seconds, 0.5
        )

    def mix(self, lines: int) -> tuple[Path, int]:
        """The mix of the labelled logs if they are there, else of the invented systems."""
        if SHARED.exists():
            prefix = self.folder / f"mix{lines}"
            words = [sys.executable, str(SHARED), "gen", "--lines", str(lines), "--out", str(prefix)]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            return prefix.with_suffix(".txt"), lines
        each = lines // len(SYSTEMS)
        messages = [message for system in SYSTEMS for message in corpus(system, each).messages]
        random.Random(1).shuffle(messages)
        return self.write(f"mix{lines}.txt", iter(messages))


def assign(messages: list[str]) -> list[str]:
    """The template of every message."""
    miner = Miner()
    leaves = miner.feed("\n".join(messages).encode())
    mined = miner.mine()
    return [mined.templates[mined.of_leaf[leaf]].text for leaf in leaves]


def ids(lines: int) -> Iterator[str]:
    """Four messages with names that no mask for digits can see."""
    r = random.Random(8)
    for i in range(lines):
        a, b = ("".join(r.choices("abcdefghijklmnopqrstuvwxyz", k=k)) for k in (8, 14))
        yield r.choice(
            (
                f"account {a} opened a channel to {b} on 10.3.{i % 250}.7",
                f"ticket={b} queue={a} waited {i % 97} s",
                f"lease of {b} passed from {a}: renewed {i % 12} times",
                f"{a} left after {i % 60} min",
            )
        )


def many_templates(templates: int, lines: int) -> Iterator[str]:
    """Lines of so many different messages, in words drawn at random."""
    r = random.Random(templates)
    words = [
        "".join(r.choices("bcdfgklmnprstv", k=2)) + r.choice("aeiou") + r.choice("lmnrst") for _ in range(900)
    ]
    draws: tuple[Callable[[], str], ...] = (
        lambda: str(r.randrange(10**6)),
        lambda: f"10.0.{r.randrange(256)}.{r.randrange(256)}",
        lambda: f"0x{r.getrandbits(32):08x}",
    )
    kinds: list[list[str | int]] = []
    for _ in range(templates):
        kind: list[str | int] = [*r.choices(words, k=r.randint(4, 11))]
        for _ in range(r.randint(0, 3)):
            kind.insert(r.randrange(1, len(kind)), r.randrange(len(draws)))
        kinds.append(kind)
    for _ in range(lines):
        yield " ".join(part if isinstance(part, str) else draws[part]() for part in r.choice(kinds))


def main() -> int:
    """Measure what was asked for."""
    parts = ("accuracy", "speed", "growth", "json")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--drain3", metavar="PYTHON", help="an interpreter that has drain3")
    parser.add_argument("--only", choices=parts, action="append")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if not options.drain3:
        print("drain3 is left out: name an interpreter that has it with --drain3")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{cores} cores, load {os.getloadavg()[0]:.1f}; dogwatch runs on one")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.drain3, options.runs, options.quick)
        for part in options.only or parts:
            print(f"\n{part}")
            getattr(bench, part)()
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n(a peak below {own:.0f} MiB cannot be seen from here)")
    print("missed: " + ", ".join(bench.missed) if bench.missed else "all goals met")
    return 1 if bench.missed else 0


if __name__ == "__main__":
    sys.exit(main())
