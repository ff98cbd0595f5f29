"""SIGKILL at random points of rounds in which much happens: nothing is lost, nothing is told twice."""

import bisect
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from support.crash import Child, Estate, Watch, served_story
from support.crash_memory import Memory, as_of_rounds, at_present, differences, memory
from support.crash_story import DEATH_BEFORE, PLATFORMS, ROUNDS

pytestmark = pytest.mark.slow

PHASES = ("reading", "judging", "reading", "opening", "reading")
"""In which part of its rounds a tale is killed: before anything is read, while the platforms are read, or
after that."""
MIDDLE = {"reading", "judging"}


@dataclass(frozen=True)
class Undisturbed:
    """A round that nobody killed."""

    lines: Sequence[float]
    """Seconds from its begin to each line that it said, ``begins`` and ``ends`` included."""
    read: int
    """The line that says that the last platform was read."""
    memory: Memory

    def moment(self, phase: str, rng: random.Random) -> float:
        """A random moment of a phase, in seconds."""
        bounds = {
            "opening": (0.0, self.lines[1]),
            "reading": (self.lines[1], self.lines[self.read]),
            "judging": (self.lines[self.read], self.lines[-1]),
        }
        return rng.uniform(*bounds[phase])


@dataclass(frozen=True)
class Scene:
    """The story on its stage, and what becomes of it if nobody interferes."""

    estate: Estate
    undisturbed: Sequence[Undisturbed]


def watched(watch: Watch) -> Iterator[Undisturbed]:
    for at in ROUNDS:
        watch.clock.at = at
        began = time.perf_counter()
        with watch.child(at) as child:
            began = time.perf_counter()
            lines = [0.0]
            while child.more():
                lines.append(time.perf_counter() - began)
            assert child.last_words() == ""
            assert child.lines[-1] == "ends"
            read = max(number for number, line in enumerate(child.lines) if " read " in line)
        yield Undisturbed(lines, read, as_of_rounds(memory(watch.store)))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with served_story(tmp_path_factory.mktemp("estate")) as estate:
        yield Scene(estate, list(watched(estate.store("undisturbed"))))


def die(child: Child, undisturbed: Undisturbed, moment: float) -> None:
    """Kill it as long after the last line that was said by that moment as it was then, or when it says the
    next one: a machine that is quicker now, or slower, kills in the same part of a round."""
    said = bisect.bisect_right(undisturbed.lines, moment)
    while len(child.lines) < said and child.more():
        pass
    child.silent_for(moment - undisturbed.lines[said - 1])
    child.signal(signal.SIGKILL)
    complaints = child.last_words()
    assert child.process.returncode in {0, -signal.SIGKILL}, complaints


def died(child: Child, watch: Watch) -> str:
    """In which phase it was killed, by what it left behind."""
    ended = watch.ended(child.begin)
    if ended is None:
        return "opening"
    if ended:
        return "over"
    return "judging" if sum(" read " in line for line in child.lines) == len(PLATFORMS) else "reading"


def test_what_a_killed_round_leaves_behind_does_not_show_in_the_end(scene: Scene, tale: int) -> None:
    """In every other tale the world moves on between death and the next round; then what was seen in between
    may differ (a repair that nobody saw begin, say), and the end alone has to be the same."""
    rng, moving = random.Random(tale), tale % 2 == 1
    watch = scene.estate.store(f"tale{tale}")
    deaths: list[str] = []
    exact = not moving
    for number, (at, undisturbed) in enumerate(zip(ROUNDS, scene.undisturbed, strict=True)):
        watch.clock.at = at - DEATH_BEFORE if moving else at
        moment = undisturbed.moment(PHASES[(number + tale) % len(PHASES)], rng)
        with watch.child(at - DEATH_BEFORE) as child:
            die(child, undisturbed, moment)
        deaths.append(died(child, watch))
        exact = exact and deaths[-1] != "over"  # then there was one round more, at a time of its own
        watch.round(at)
        if exact:
            assert differences(as_of_rounds(memory(watch.store)), undisturbed.memory) == [], deaths
    sys.stdout.write(f"killed while {', '.join(deaths)}\n")
    in_the_end = at_present(as_of_rounds(memory(watch.store)))
    wanted = at_present(scene.undisturbed[-1].memory)
    if "over" in deaths:  # a slot first judged in the round more, or an incident, is what was known then
        for looked in ("expectations", "looks", "incidents"):
            del in_the_end[looked], wanted[looked]
    assert differences(in_the_end, wanted) == [], deaths
    assert sum(death in MIDDLE for death in deaths) > len(deaths) / 2, deaths
    unfinished = deaths.count("reading") + deaths.count("judging")
    assert watch.open_rounds() == unfinished
