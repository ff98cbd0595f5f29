"""What policy allows, asks for and refuses, and what stands above every rule."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from dogwatch.heal.policy import Bounds, Case, Decision, Done, Policy, Recent, Verdict, decide, hindered
from dogwatch.model import CauseClass, Risk, Severity
from support.actions import NOW, an_action


def a_case(**changes: Any) -> Case:
    """An ordinary incident on Airbyte."""
    values: dict[str, Any] = {
        "now": NOW,
        "timezone": "Europe/Berlin",
        "offered": True,
        "severity": Severity.ERROR,
        "cause": CauseClass.network_timeout,
        "platform": "airbyte",
        **changes,
    }
    return Case(**values)


def verdict(
    *rules: Mapping[str, Any], case: Case | None = None, recent: Recent | None = None, **action: Any
) -> Verdict:
    """What becomes of an action under these rules."""
    policy = Policy.model_validate({"rules": list(rules)})
    return decide(an_action(**action), policy, recent or Recent(), case or a_case())


def done(minutes_ago: float, **changes: Any) -> Done:
    """An earlier action that helped somebody else."""
    values: dict[str, Any] = {
        "digest": "0" * 16,
        "verb": "rerun",
        "target": "airbyte/other",
        "incident": 99,
        "at": NOW - timedelta(minutes=minutes_ago),
        "in_flight": False,
        "helped": True,
        **changes,
    }
    return Done(**values)


def test_what_no_rule_mentions_is_asked() -> None:
    assert verdict() == Verdict(Decision.ask, "no rule speaks of it, so a person decides")


def test_a_policy_may_refuse_what_no_rule_mentions() -> None:
    said = decide(an_action(), Policy(default=Decision.refuse), Recent(), a_case())
    assert said.decision is Decision.refuse
    assert "no rule allows it" in said.why


def test_a_verb_that_nobody_offers_is_refused_whatever_rules_say() -> None:
    said = verdict({"then": "allow", "verbs": "drop", "jobs": "*"}, case=a_case(offered=False), verb="drop")
    assert said.decision is Decision.refuse
    assert "'drop' is not a verb that airbyte offers" in said.why


def test_the_first_rule_that_matches_decides_and_says_why() -> None:
    rules = (
        {"then": "refuse", "verbs": "rerun", "jobs": "airbyte/pay*", "why": "payments are run by hand"},
        {"then": "allow", "verbs": "rerun", "platforms": "airbyte"},
    )
    assert verdict(*rules, target="airbyte/payments") == Verdict(
        Decision.refuse, "rule 1: payments are run by hand"
    )
    assert verdict(*rules) == Verdict(Decision.allow, "rule 2")


@pytest.mark.parametrize(
    ("rule", "case"),
    [
        ({"platforms": "snowflake"}, {}),
        ({"jobs": "airbyte/payments"}, {}),
        ({"environments": "production"}, {"environments": frozenset({"development"})}),
        ({"severity": "WARNING"}, {}),
        ({"causes": "auth_permission"}, {}),
        ({"causes": "auth_permission"}, {"cause": None}),
        ({"confirmed_only": True}, {}),
        ({"hours": "22:00-06:00"}, {}),
        ({"days": ["sat", "sun"]}, {}),
    ],
)
def test_every_key_of_a_rule_has_to_match(rule: dict[str, Any], case: dict[str, Any]) -> None:
    rules = {"then": "allow", "verbs": "rerun", **rule}
    assert verdict(rules, case=a_case(**case)).decision is Decision.ask


@pytest.mark.parametrize(
    ("rule", "case"),
    [
        ({"environments": ["production"]}, {"environments": frozenset({"production"})}),
        ({"severity": ["ERROR", "CRITICAL"]}, {}),
        ({"causes": ["network_timeout"]}, {}),
        ({"confirmed_only": True}, {"confirmed": True}),
        ({"hours": "11:00-13:30"}, {}),
        ({"hours": "22:00-06:00"}, {"now": datetime(2026, 3, 3, 3, tzinfo=UTC)}),
        ({"days": "tue"}, {}),
        ({"jobs": "airbyte/Orders PG*"}, {}),
    ],
)
def test_a_rule_whose_keys_all_match_decides(rule: dict[str, Any], case: dict[str, Any]) -> None:
    rules = {"then": "allow", "verbs": "rerun", **rule}
    assert verdict(rules, case=a_case(**case)).decision is Decision.allow


def test_hours_are_those_of_the_reader() -> None:
    early = a_case(now=datetime(2026, 3, 3, 21, 30, tzinfo=UTC))  # 22:30 in Berlin
    assert verdict({"then": "allow", "verbs": "rerun", "hours": "22:00-06:00"}, case=early).decision is (
        Decision.allow
    )


def test_a_job_of_the_same_name_on_another_platform_is_another_job() -> None:
    rule = {"then": "allow", "verbs": "rerun", "jobs": "airbyte/Orders PG*"}
    said = verdict(rule, target="databricks/7", target_name="Orders PG → RAW", connector="databricks")
    assert said.decision is Decision.ask


def test_a_bare_name_matches_no_job() -> None:
    assert verdict({"then": "allow", "verbs": "rerun", "jobs": "Orders PG → RAW"}).decision is Decision.ask


def test_what_is_destructive_is_allowed_by_its_own_name_only() -> None:
    broad = {"then": "allow", "verbs": "*", "platforms": "airbyte"}
    exact = {"then": "allow", "verbs": ["wipe"], "platforms": "airbyte"}
    assert verdict(broad, verb="wipe", risk=Risk.destructive).decision is Decision.ask
    assert verdict(exact, verb="wipe", risk=Risk.destructive).decision is Decision.allow
    assert verdict(broad).decision is Decision.allow


def test_a_rule_may_allow_only_so_many_a_day() -> None:
    rule = {"then": "allow", "verbs": "rerun", "jobs": "*", "at_most_per_day": 2}
    once = Recent(allowed={("rerun", "airbyte/orders"): 1})
    twice = Recent(allowed={("rerun", "airbyte/orders"): 2})
    assert verdict(rule, recent=once).decision is Decision.allow
    assert verdict(rule, recent=twice) == Verdict(
        Decision.ask, "rule 1, but that was done 2 times in 24 hours already"
    )


# ── safeguards ────────────────────────────────────────────────────────────────────────────────────────────

ALLOWED = {"then": "allow", "verbs": "rerun", "jobs": "*"}


def test_nothing_is_done_while_everything_is_halted() -> None:
    said = verdict(ALLOWED, recent=Recent(halted_by="anna"))
    assert said == Verdict(Decision.refuse, "everything is halted by anna; dogwatch halt --off ends that")


def test_the_same_is_not_begun_while_it_is_under_way() -> None:
    going = done(5, target="airbyte/orders", in_flight=True, helped=None)
    assert verdict(ALLOWED, recent=Recent([going])).why == "the same is under way already"


def test_what_did_not_help_is_not_tried_again_for_the_same_incident() -> None:
    vain = done(90, target="airbyte/orders", incident=7, helped=False)
    assert "did not help" in verdict(ALLOWED, recent=Recent([vain])).why
    assert verdict(ALLOWED, recent=Recent([vain]), incident=8).decision is Decision.allow


@pytest.mark.parametrize(
    ("bounds", "earlier", "said"),
    [
        ({"per_round": 0}, [], "in this round"),
        ({"per_hour": 2}, [done(5), done(50)], "in an hour"),
        ({"per_job_per_hour": 1}, [done(5, target="airbyte/orders", incident=3)], "on this job in an hour"),
        ({"per_incident": 1}, [done(600, verb="cancel", incident=7)], "for this incident"),
    ],
)
def test_bounds_hold_whatever_was_allowed(bounds: dict[str, int], earlier: list[Done], said: str) -> None:
    given = Bounds.model_validate(bounds)
    assert said in hindered(an_action(), given, Recent(earlier), NOW)
    assert hindered(an_action(), Bounds(), Recent(earlier), NOW) == ""


def test_bounds_of_an_hour_end_with_it() -> None:
    given = Bounds.model_validate({"per_hour": 1})
    assert hindered(an_action(), given, Recent([done(59)]), NOW)
    assert hindered(an_action(), given, Recent([done(61)]), NOW) == ""


def test_after_failures_in_a_row_the_breaker_opens_says_so_and_closes() -> None:
    bad = [done(90 - 20 * number, helped=False, failed=True) for number in range(3)]
    open_ = hindered(an_action(), Bounds(), Recent(bad), NOW)
    assert open_ == "the breaker is open until 11:10 UTC: the last 3 actions failed"
    later = NOW + timedelta(minutes=10)
    assert hindered(an_action(), Bounds(), Recent(bad), later) == ""
    assert hindered(an_action(), Bounds(), Recent([*bad, done(1)]), NOW) == ""


# ── the file ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "wrong",
    [
        {"rules": [{"then": "allow", "verbs": "*"}]},
        {"rules": [{"then": "allow", "verbs": []}]},
        {"rules": [{"then": "maybe", "verbs": "rerun"}]},
        {"rules": [{"then": "allow", "verbs": "rerun", "hours": "late"}]},
        {"rules": [{"then": "allow", "verbs": "rerun", "days": ["someday"]}]},
        {"rules": [{"then": "allow", "verbs": "rerun", "job": "x"}]},
        {"default": "allow"},
        {"commands": {"restart": {"run": ["systemctl", "restart"], "jobs": "*"}}},
        {"commands": {"restart": {"run": "/bin/true", "jobs": "*"}}},
        {"commands": {"restart": {"run": [], "jobs": "*"}}},
        {"bounds": {"per_hour": -1}},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate(wrong)
