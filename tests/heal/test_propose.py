"""What is proposed about an incident, and with which words."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

import pytest

from dogwatch.causes.explain import Case, explain
from dogwatch.heal.hands import verbs_of
from dogwatch.heal.policy import Policy
from dogwatch.heal.propose import Outlook, propose
from dogwatch.model import Action, Job, Risk, Status
from dogwatch.report.incident import proposal
from support.cast import NOON
from support.incidents import Watch, a_run, clocked, told

SUBJECT = "snowflake/orders"


def proposed(
    vain: Mapping[tuple[str, str], int] | None = None,
    after: tuple[str, ...] = (),
    said: str = "connection timed out",
) -> list[Action]:
    """What is proposed after a Snowflake task failed."""
    failed = told("failed", SUBJECT, 0, said)
    (incident,) = Watch().round(5, failed)
    causes = explain(Case(members=[failed.finding], evidence={failed.evidence.id: failed.evidence}))
    incident = incident.model_copy(update={"causes": causes})
    job: Job = clocked(SUBJECT)[SUBJECT].model_copy(update={"after": after})
    outlook = Outlook(
        findings=[failed.finding],
        jobs={SUBJECT: job},
        runs={SUBJECT: [a_run(SUBJECT, 0, Status.failed, said)]},
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


@pytest.mark.parametrize(
    ("said", "step"),
    [
        ("FATAL: password authentication failed for user etl", "renew or grant the credential"),
        ("Config validation error: 'start_date' is a required property", "mend the setting"),
        ("NameError: name 'ordrs' is not defined", "mend the code"),
    ],
)
def test_what_stays_however_often_a_job_is_run_is_mended_by_hand_before_it_runs_again(
    said: str, step: str
) -> None:
    then, first = proposed(said=said)  # what is written later stands above in every list
    assert (first.verb, first.args["step"], first.risk) == ("manual", step, Risk.safe)
    assert then.verb == "repair"
    assert f"{step} first" in then.reason


def test_what_often_passes_by_itself_asks_nobody_for_anything_first() -> None:
    assert [one.verb for one in proposed(said="connection timed out")] == ["repair"]


def test_a_person_is_asked_once_where_nothing_but_a_person_helps() -> None:
    said = "FATAL: password authentication failed for user etl"
    (only,) = proposed(after=("snowflake/root",), said=said)
    assert (only.verb, only.args["step"]) == ("manual", "renew or grant the credential")


def test_where_an_incident_is_shown_the_step_by_hand_is_said() -> None:
    (only,) = proposed(after=("snowflake/root",), said="FATAL: password authentication failed for user etl")
    assert "orders: renew or grant the credential (proposed)" in proposal(only, NOON, ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("said", "step"),
    [
        ("FATAL: password authentication failed for user etl", "renew or grant the credential"),
        ("resource monitor exceeded its quota", "see to what its jobs share"),
    ],
)
def test_the_one_trouble_of_a_platforms_jobs_is_mended_once_by_a_person(said: str, step: str) -> None:
    found = [told("failed", f"snowflake/{name}", 0, said) for name in ("orders", "users", "plans")]
    (incident,) = Watch().round(5, *found)
    evidence = {one.evidence.id: one.evidence for one in found}
    members = [one.finding for one in found]
    group = [one.subject for one in members]
    causes = explain(Case(members=members, evidence=evidence, culprit=incident.culprit, group=group))
    incident = incident.model_copy(update={"causes": causes})
    (only,) = propose(incident, Outlook(findings=members, jobs={}, runs={}), Policy(), NOON)
    assert (only.verb, only.target, only.args["step"]) == ("manual", "snowflake", step)
