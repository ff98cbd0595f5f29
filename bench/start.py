"""How light dogwatch is: start, size and memory, beside a bare interpreter and a bare click app.

    python bench/start.py [--uv PATH]         exit code 1 if a goal is missed

The wheel of this checkout and the locked versions of what it needs go into a throwaway environment made by
uv: no development groups, no extras. Its size is counted before any bytecode is there. Then all of it is
compiled, as `make install` does (`uv sync --compile-bytecode`; pip compiles by itself), since a start that
compiles first is paid only once. Every time is the median of 15 starts, all commands in turn, so that a noisy
moment strikes them alike. Memory is the peak that a process reads of itself at its end (VmHWM), because what
a parent is told of its child (ru_maxrss) holds the parent's own from before exec.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles

from dogwatch.cli import COMMANDS

ROOT = Path(__file__).parents[1]
STARTS = 15
ANCHORS = """
Measured elsewhere, on another machine:
  HolmesGPT 0.45     --version 4.07 s   installed 803 MB   peak RSS 312 MB
  OpenSRE 2026.4     --version 0.29 s   installed 579 MB"""

LAUNCHER = (
    "#!{python}\nimport sys\nfrom bare_app import app\n\nif __name__ == '__main__':\n    sys.exit(app())\n"
)
"""What an installer writes into bin/ for a command, so that the bare app starts as dogwatch does."""
PEAK = """
import sys
from dogwatch.__main__ import main
sys.argv = ["dogwatch", *sys.argv[1:]]
try:
    main()
finally:
    status = open("/proc/self/status").read()
    sys.stderr.write(status.partition("VmHWM:")[2].split()[0])
"""


def bare_app() -> str:
    """A click app that has as many commands as dogwatch, each with a help of one line, and does nothing."""
    lines = ["import click", "", "@click.group()", "def app() -> None:", '    """Nothing."""']
    for number, said in enumerate(COMMANDS.values()):
        lines += [
            "",
            f'@app.command("command{number}")',
            f"def command{number}() -> None:",
            f'    """{said}"""',
        ]
    return "\n".join([*lines, ""])


def installed(uv: str, folder: Path) -> Path:
    """Dogwatch's wheel and the locked versions of what it needs; returns the bin folder."""
    made = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    made.pop("VIRTUAL_ENV", None)

    def run(*args: str) -> None:
        subprocess.run([uv, "-q", *args], cwd=ROOT, env=made, check=True)

    locked = folder / "locked.txt"
    run("build", "--wheel", "--out-dir", str(folder))
    run("export", "--locked", "--no-dev", "--no-emit-project", "--no-hashes", "--output-file", str(locked))
    run("venv", "--python", sys.executable, str(folder / "venv"))
    (wheel,) = folder.glob("*.whl")
    python = folder / "venv" / "bin" / "python"
    run("pip", "install", "--python", str(python), "--constraints", str(locked), str(wheel))
    return python.parent


def size_mb(site: Path) -> float:
    """Megabytes (10^6 bytes) of everything in site-packages but bytecode, pip and setuptools."""
    left_out = ("__pycache__", "pip", "setuptools")
    files = (
        file
        for file in site.rglob("*")
        if file.is_file() and not any(part.split("-")[0] in left_out for part in file.relative_to(site).parts)
    )
    return sum(file.stat().st_size for file in files) / 1e6


def with_bare_app(binaries: Path, site: Path) -> None:
    """Install the bare app beside dogwatch and compile everything."""
    (site / "bare_app.py").write_text(bare_app(), encoding="utf-8")
    launcher = binaries / "bare"
    launcher.write_text(LAUNCHER.format(python=binaries / "python"), encoding="utf-8")
    launcher.chmod(0o755)
    subprocess.run([binaries / "python", "-m", "compileall", "-q", site], check=True)


def environment(folder: Path) -> dict[str, str]:
    """Nothing that could slow a start down or quicken it."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"}


def seconds(command: Sequence[str], folder: Path) -> float:
    """From asking for the process until it is gone."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, check=False)
    took = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr.decode()}")
    return took


def starts(commands: Mapping[str, Sequence[str]], folder: Path) -> dict[str, list[float]]:
    """Seconds of each start of each command, sorted; a round before them warms the files up."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(STARTS + 1):
        for name, command in commands.items():
            took = seconds(command, folder)
            if number:
                taken[name].append(took)
    return {name: sorted(times) for name, times in taken.items()}


def peak_mb(binaries: Path, folder: Path, *args: str) -> float:
    """Peak memory of ``dogwatch args`` in megabytes (10^6 bytes)."""
    command = [str(binaries / "python"), "-c", PEAK, *args]
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=True
    )
    return int(done.stderr) * 1024 / 1e6


def main() -> int:
    """Measure, print each figure beside its goal, and count the goals that were missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uv", default=shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv"))
    uv = parser.parse_args().uv
    if not Path(uv).exists():
        parser.error(f"there is no {uv}: `make install` gets it, or name another one with --uv")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        binaries = installed(uv, folder)
        (site,) = binaries.parent.glob("lib/python*/site-packages")
        size = size_mb(site)
        with_bare_app(binaries, site)
        python, dogwatch = str(binaries / "python"), str(binaries / "dogwatch")
        seconds([dogwatch, "demo"], folder)
        there = ["--config", "dogwatch-demo/dogwatch.yaml"]
        took = starts(
            {
                "python": [python, "-c", "pass"],
                "version": [dogwatch, "--version"],
                "bare": [str(binaries / "bare"), "--help"],
                "help": [dogwatch, "--help"],
                "check": [dogwatch, "check", "--help"],
                "runs": [dogwatch, *there, "runs"],
            },
            folder,
        )
        memory = peak_mb(binaries, folder, "--version")
        memory_runs = peak_mb(binaries, folder, *there, "runs")
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores, load {load:.1f} before and", end=" ")
    print(f"{os.getloadavg()[0]:.1f} after; median of {STARTS} starts, bytecode compiled\n")
    return show(took, size, memory, memory_runs)


def show(took: Mapping[str, Sequence[float]], size: float, memory: float, memory_runs: float) -> int:
    """The figures, each beside its goal; 1 if one was missed."""
    ms = {name: 1000 * median(times) for name, times in took.items()}
    most_version, ratio = 3 * ms["python"] + 50, ms["help"] / ms["bare"]
    goals = [
        (
            "--version",
            f"{ms['version']:.0f} ms",
            f"3 x {ms['python']:.0f} + 50 ms",
            ms["version"] <= most_version,
        ),
        ("--help", f"{ratio:.2f} x {ms['bare']:.0f} ms", "1.3 x bare app", ratio <= 1.3),
        ("installed", f"{size:.1f} MB", "60 MB", size <= 60),
        ("peak RSS of --version", f"{memory:.1f} MB", "30 MB", memory <= 30),
        ("runs", f"{ms['runs']:.0f} ms", "600 ms", ms["runs"] <= 600),
    ]
    for name, figure, goal, met in goals:
        print(f"{name:24}{figure:>16}   goal <= {goal:18}{'met' if met else 'MISSED'}")
    print(f"{'check --help':24}{ms['check']:>13.0f} ms")
    print(f"{'peak RSS of runs':24}{memory_runs:>13.1f} MB\n\nmedian and quartiles, ms")
    for name, times in took.items():
        low, middle, high = (1000 * cut for cut in quantiles(times, n=4))
        print(f"  {name:12}{middle:6.0f}   {low:.0f} to {high:.0f}")
    print(ANCHORS)
    return 0 if all(met for *_, met in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
