"""What is proposed about an incident, and with which words."""

from collections.abc import Mapping

import pytest

from dogwatch.heal.hands import verbs_of
from dogwatch.heal.policy import Policy
from dogwatch.heal.propose import Outlook, propose
from dogwatch.model import Action, Job, Status
from support.cast import NOON
from support.incidents import Watch, a_run, clocked, told

SUBJECT = "snowflake/orders"


def proposed(vain: Mapping[tuple[str, str], int] | None = None, after: tuple[str, ...] = ()) -> list[Action]:
    """What is proposed after a Snowflake task failed."""
    failed = told("failed", SUBJECT, 0, "connection timed out")
    (incident,) = Watch().round(5, failed)
    job: Job = clocked(SUBJECT)[SUBJECT].model_copy(update={"after": after})
    outlook = Outlook(
        findings=[failed.finding],
        jobs={SUBJECT: job},
        runs={SUBJECT: [a_run(SUBJECT, 0, Status.failed, "connection timed out")]},
        verbs={"snowflake": verbs_of("snowflake")},
        vain=vain or {},
    )
    return propose(incident, outlook, Policy(), NOON)


def test_the_gentlest_verb_is_proposed_first() -> None:
    assert [one.verb for one in proposed()] == ["repair"]


@pytest.mark.parametrize(("times", "words"), [(1, "the last time"), (2, "the last 2 times")])
def test_what_was_in_vain_lately_gives_way_to_another_verb(times: int, words: str) -> None:
    assert [one.verb for one in proposed({("repair", SUBJECT): times})] == ["rerun"]
    (both,) = proposed({("repair", SUBJECT): times, ("rerun", SUBJECT): times})
    assert both.verb == "repair"
    assert both.reason.endswith(f"; it did not help {words}")


def test_a_task_that_follows_another_is_not_executed_by_itself() -> None:
    (only,) = proposed(after=("snowflake/root",))
    assert only.verb == "manual"
