"""SIGKILL at random points of performing an action: nothing is done twice, nothing is left unmarked."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from time import perf_counter

import pytest

from dogwatch.model import ActionState
from support.healing import ONE_RUN, Ward

pytestmark = pytest.mark.slow

CHILD = Path(__file__).parents[1] / "support" / "approve_once.py"
_PATIENCE = 60.0
_SETTLED = {ActionState.helped, ActionState.did_not_help, ActionState.unknown}


@pytest.fixture(scope="module", params=["airbyte", "databricks"])
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """A missing run that waits for consent to be made. Airbyte knows no idempotency key, Databricks does."""
    folder = tmp_path_factory.mktemp("ward")
    with Ward(folder, request.param, f"kind: run_missing, {ONE_RUN}") as ward:
        ward.round(9)
        ward.round(9, 10)
        ward.keep()
        yield ward


@pytest.fixture(scope="module")
def whole(prepared: Ward) -> float:
    """Seconds that it takes here if nobody is killed."""
    return killed(prepared, _PATIENCE)


def killed(ward: Ward, after: float) -> float:
    """A person's consent in a process that is killed so many seconds after it began; how long it lived."""
    action = ward.waiting("rerun")
    with ExitStack() as stack:
        urls = stack.enter_context(ward.lab.serve())
        ward.lab.write_config(ward.home, urls, history_days=4)
        process = stack.enter_context(
            subprocess.Popen(
                [
                    sys.executable,
                    str(CHILD),
                    str(ward.home / "dogwatch.yaml"),
                    ward.clock.now().isoformat(),
                    action.id,
                ],
                env={**os.environ, "PYTHONPATH": str(CHILD.parents[1])},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        began = perf_counter()
        with suppress(subprocess.TimeoutExpired):
            process.wait(after)
        lived = perf_counter() - began
        process.kill()
        process.wait(_PATIENCE)
    ward.lab.write_config(ward.home, history_days=4)
    return lived


def test_an_action_whose_performer_is_killed_is_done_once_or_marked(
    prepared: Ward, whole: float, tale: int
) -> None:
    for number in range(5):
        prepared.rewind()
        waiting = prepared.waiting("rerun")
        killed(prepared, whole * random.Random(tale * 5 + number).uniform(0.2, 0.9))
        prepared.carry_on()
        consented = prepared.now_is(waiting)
        assert consented.state is not ActionState.approved
        prepared.rounds((9, 25), (10, 0), every=5)
        action, asked = prepared.now_is(waiting), len(prepared.lab.world.asked)
        begun = action.began_at is not None
        assert asked <= 1, action
        assert begun or asked == 0, action
        assert begun == (consented.decided_by == "user:anna"), action
        assert not begun or action.state in _SETTLED, action
        assert asked == 1 or not begun or action.state is ActionState.unknown, action
