"""Every verb on every platform, through the real app and over the lab: performed, verified, resolved."""

from pathlib import Path

import pytest

from dogwatch.model import ActionState, IncidentState, Risk
from support.healing import FOR_GOOD, ONE_RUN, Ward

TIMEOUT = "error: connection timed out"
FAILS = f"kind: run_fails, {ONE_RUN}, {TIMEOUT}"
FAILS_FOR_GOOD = f"kind: run_fails, {FOR_GOOD}, {TIMEOUT}"
HANGS = f"kind: run_hangs, {ONE_RUN}"
MISSING = f"kind: run_missing, {ONE_RUN}"
PAUSED = "kind: paused, at: 2026-03-04T09:10:00Z"
ALLOWS = "rules: [{then: allow, verbs: [rerun, repair, cancel], jobs: '*', why: it is harmless}]\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("platform", "fault", "verb", "seen", "resolved"),
    [
        ("airbyte", FAILS, "rerun", (9, 20), (11, 15)),
        ("airbyte", MISSING, "rerun", (9, 10), (11, 0)),
        ("airbyte", HANGS, "cancel", (9, 30), (12, 45)),
        ("airbyte", PAUSED, "resume", (10, 10), (12, 15)),
        ("databricks", FAILS, "repair", (9, 20), (11, 15)),
        ("databricks", MISSING, "rerun", (9, 10), (12, 45)),
        ("databricks", HANGS, "cancel", (9, 30), (12, 45)),
        ("databricks", PAUSED, "resume", (10, 10), (12, 15)),
        ("snowflake", FAILS, "repair", (9, 20), (11, 15)),
        ("snowflake", MISSING, "rerun", (9, 10), (12, 45)),
        ("snowflake", HANGS, "cancel", (9, 30), (12, 45)),
        ("snowflake", PAUSED, "resume", (10, 10), (12, 15)),
        ("github", FAILS, "repair", (9, 20), (11, 15)),
        ("github", HANGS, "cancel", (9, 30), (12, 45)),
    ],
)
def test_a_verb_is_performed_verified_and_the_incident_resolves(
    tmp_path: Path, platform: str, fault: str, verb: str, seen: tuple[int, int], resolved: tuple[int, int]
) -> None:
    with Ward(tmp_path, platform, fault) as ward:
        ward.rounds((9, 0), seen, every=10)
        asked = ward.waiting(verb)
        done = ward.consent(asked)
        assert (done.state, done.decided_by) == (ActionState.performed, "user:anna")
        ward.rounds((seen[0], seen[1] + 15), resolved)
        assert ward.now_is(asked).state is ActionState.helped
        assert ward.incident(asked.incident).state is IncidentState.resolved
        assert [one.verb for one in ward.actions() if one.began_at] == [verb]
        kinds = [event.kind for event in ward.events() if event.subject == asked.id]
        assert kinds == [
            f"action.{step}" for step in ("proposed", "waiting", "approved", "claimed", "performed", "helped")
        ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("platform", "verb"),
    [("airbyte", "rerun"), ("databricks", "repair"), ("snowflake", "repair"), ("github", "repair")],
)
def test_what_does_not_help_is_said_and_not_tried_again(tmp_path: Path, platform: str, verb: str) -> None:
    with Ward(tmp_path, platform, FAILS_FOR_GOOD, ALLOWS) as ward:
        ward.rounds((9, 0), (11, 30))
        tried = [one for one in ward.actions() if one.began_at]
        assert [(one.verb, one.state) for one in tried] == [(verb, ActionState.did_not_help)]
        assert tried[0].why.endswith("ended failed again")
        refused = {one.why for one in ward.actions() if one.state is ActionState.refused}
        assert refused == {"it was tried for this incident and did not help"}
        assert ward.incident(tried[0].incident).state is IncidentState.open


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["airbyte", "databricks", "snowflake"])
def test_a_job_is_paused_at_an_agents_wish_after_a_persons_consent(tmp_path: Path, platform: str) -> None:
    with Ward(tmp_path, platform, FAILS_FOR_GOOD) as ward:
        ward.round(9)
        ward.round(9, 20)
        changes = {
            "verb": "pause",
            "risk": Risk.disruptive,
            "args": {},
            "proposed_by": "agent:triage",
            "why": "a person decides",
        }
        wish = ward.suggest(ward.waiting().model_copy(update=changes))
        assert not any(job.as_of(ward.clock.now()).paused for job in ward.lab.world.jobs.values())
        ward.consent(wish)
        ward.round(9, 35)
        assert (ward.now_is(wish).state, ward.now_is(wish).why) == (ActionState.helped, "the job is paused")


def test_power_automate_has_no_supported_call_so_a_person_gets_the_step_and_its_link(tmp_path: Path) -> None:
    with Ward(tmp_path, "power_automate", FAILS) as ward:
        ward.round(9)
        ward.round(9, 20)
        (only,) = ward.actions()
        assert (only.verb, only.state) == ("manual", ActionState.proposed)
        assert str(only.args["url"]).startswith("https://make.powerautomate.com/environments/")


def test_a_passing_failure_is_tried_again_by_itself_if_policy_says_so(tmp_path: Path) -> None:
    policy = "rules: [{then: allow, verbs: rerun, causes: network_timeout, platforms: airbyte}]\n"
    with Ward(tmp_path, "airbyte", FAILS, policy) as ward:
        ward.round(9)
        ward.round(9, 20)
        (only,) = ward.actions()
        assert (only.state, only.decided_by) == (ActionState.performed, "policy")
        ward.round(9, 40)
        assert ward.now_is(only).state is ActionState.helped


def test_another_failure_than_policy_means_waits_for_a_person(tmp_path: Path) -> None:
    policy = "rules: [{then: allow, verbs: rerun, causes: network_timeout, platforms: airbyte}]\n"
    denied = f"kind: run_fails, {ONE_RUN}, error: permission denied for table orders"
    with Ward(tmp_path, "airbyte", denied, policy) as ward:
        ward.round(9)
        ward.round(9, 20)
        assert ward.waiting().why == "no rule speaks of it, so a person decides"
        assert "auth_permission" in ward.waiting().reason


def test_a_local_command_runs_with_its_fixed_arguments_and_nothing_else(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = tmp_path / "mend"
    script.write_text(f'#!/bin/sh\necho "$#|$1|$(env | sort | tr "\\n" " ")" >> {told}\n', encoding="utf-8")
    script.chmod(0o755)
    policy = f"commands: {{mend: {{run: ['{script}', '$(id);`id`'], jobs: '*', causes: network_timeout}}}}\n"
    with Ward(tmp_path, "airbyte", FAILS, policy, name="'$(touch pwned); rm -rf /'") as ward:
        ward.round(9)
        ward.round(9, 20)
        asked = ward.waiting("mend")
        assert asked.connector == "local"
        assert ward.consent(asked).state is ActionState.performed
        count, first, environment = told.read_text(encoding="utf-8").strip().split("|")
        assert (count, first) == ("1", "$(id);`id`")
        assert "DOGWATCH" not in environment
        assert "SECRET" not in environment
        assert len(told.read_text(encoding="utf-8").splitlines()) == 1


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("[/bin/false]", "/bin/false ended with 1"),
        ("[/nowhere/at/all]", "/nowhere/at/all cannot be started: No such file or directory"),
        ("[/bin/sleep, '30'], timeout_seconds: 1", "/bin/sleep was ended after 1 s"),
    ],
)
def test_a_command_that_fails_is_told(tmp_path: Path, run: str, said: str) -> None:
    policy = f"commands: {{mend: {{run: {run}, jobs: '*'}}}}\n"
    with Ward(tmp_path, "airbyte", FAILS, policy) as ward:
        ward.round(9)
        ward.round(9, 20)
        done = ward.consent(ward.waiting("mend"))
        assert (done.state, done.why.rstrip(": ")) == (ActionState.failed, said)


@pytest.mark.slow
def test_a_step_by_hand_is_asked_for_once_however_often_the_job_fails(tmp_path: Path) -> None:
    denied = f"kind: run_fails, {FOR_GOOD}, error: permission denied for table orders"
    with Ward(tmp_path, "airbyte", denied) as ward:
        ward.rounds((9, 0), (11, 30))
        steps = [one.args["step"] for one in ward.actions() if one.verb == "manual"]
        assert steps == ["renew or grant the credential"]
        assert sum(one.verb == "rerun" for one in ward.actions()) > 1
