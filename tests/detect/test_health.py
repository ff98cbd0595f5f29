"""The health of the whole, of platforms and of pipelines."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from dogwatch.detect.health import assess
from dogwatch.model import (
    Finding,
    Health,
    HealthAssessment,
    Priority,
    RiskLevel,
    ScopeKind,
    Severity,
)
from support.cast import NOON

COUNTS = {"airbyte": 2, "databricks": 1}
NAMES = {"airbyte/orders": "The orders sync", "databricks": "Databricks"}
PIPELINES = {"sales": {"airbyte/orders", "databricks/sales"}, "people": {"airbyte/users"}}


def finding(subject: str, severity: Severity, rule: str = "failed", **changes: Any) -> Finding:
    values = {
        "rule": rule,
        "subject": subject,
        "severity": severity,
        "summary": "…",
        "evidence": ("e",),
        "fingerprint": f"{rule}-{subject}",
        "at": NOON,
        "next_step": f"dogwatch runs --job {subject}",
    }
    return Finding.model_validate({**values, **changes})


def by_scope(
    findings: Sequence[Finding],
    counts: Mapping[str, int] = COUNTS,
    pipelines: Mapping[str, set[str]] = PIPELINES,
) -> dict[str, HealthAssessment]:
    return {assessment.scope: assessment for assessment in assess(findings, counts, pipelines, NAMES, NOON)}


def test_where_nothing_is_wrong_everything_is_healthy_and_nobody_is_told() -> None:
    found = by_scope([])
    assert list(found) == ["all", "airbyte", "databricks", "people", "sales"]
    assert {assessment.overall_health for assessment in found.values()} == {Health.healthy}
    assert found["all"].summary == "everything: 3 jobs as expected"
    assert found["all"].risk_level is RiskLevel.LOW
    assert not found["all"].requires_notification
    assert found["all"].notification_priority is Priority.low
    assert found["all"].recommendations == ()


def test_a_failure_reaches_its_platform_its_pipeline_and_the_whole_only() -> None:
    found = by_scope([finding("airbyte/orders", Severity.ERROR)])
    unhealthy = {scope for scope, one in found.items() if one.overall_health is Health.unhealthy}
    assert unhealthy == {"all", "airbyte", "sales"}
    assert found["all"].risk_level is RiskLevel.HIGH
    assert found["all"].notification_priority is Priority.high
    assert found["all"].requires_notification
    assert found["all"].summary == "everything: 1 of 3 jobs not doing their work"
    assert found["airbyte"].recommendations == (
        "The orders sync (failed): dogwatch runs --job airbyte/orders",
    )
    assert found["people"].overall_health is Health.healthy


def test_something_unusual_is_degraded() -> None:
    found = by_scope([finding("airbyte/users", Severity.WARNING, "slow")])
    assert found["people"].overall_health is Health.degraded
    assert found["people"].risk_level is RiskLevel.MEDIUM
    assert found["people"].notification_priority is Priority.normal


def test_a_note_changes_nothing_but_can_be_found() -> None:
    found = by_scope([finding("airbyte/users", Severity.INFO, "fast")])
    assert found["people"].overall_health is Health.healthy
    assert found["people"].findings == ("fast-airbyte/users",)


def test_what_cannot_be_seen_is_unknown_never_healthy() -> None:
    found = by_scope([finding("databricks", Severity.ERROR, "blind", next_step="renew DATABRICKS_TOKEN")])
    unknown = {scope for scope, one in found.items() if one.overall_health is Health.unknown}
    assert unknown == {"all", "databricks", "sales"}
    assert found["sales"].requires_notification
    assert found["sales"].summary == "sales: databricks not readable, nothing is claimed about it"
    assert found["sales"].recommendations == ("Databricks (blind): renew DATABRICKS_TOKEN",)


def test_a_failure_beside_a_blind_platform_is_unhealthy_and_says_both() -> None:
    found = by_scope(
        [finding("databricks", Severity.ERROR, "blind"), finding("airbyte/orders", Severity.ERROR)]
    )
    assert found["sales"].overall_health is Health.unhealthy
    assert "1 of 2 jobs not doing their work; databricks not readable" in found["sales"].summary


def test_a_platform_that_never_was_read_is_unknown_as_well() -> None:
    found = by_scope([finding("snowflake", Severity.ERROR, "blind")], {**COUNTS, "snowflake": 0})
    assert found["snowflake"].overall_health is Health.unknown


@pytest.mark.parametrize(("broken", "risk"), [(1, RiskLevel.HIGH), (2, RiskLevel.CRITICAL)])
def test_when_half_of_the_jobs_are_broken_everything_is_at_stake(broken: int, risk: RiskLevel) -> None:
    findings = [finding(f"airbyte/{number}", Severity.ERROR) for number in range(broken)]
    assert by_scope(findings, {"airbyte": 4})["airbyte"].risk_level is risk


def test_something_critical_is_urgent() -> None:
    found = by_scope([finding("airbyte/orders", Severity.CRITICAL, "threshold")])
    assert found["all"].notification_priority is Priority.urgent


def test_recommendations_come_worst_first_and_not_without_end() -> None:
    findings = [finding(f"airbyte/{number}", Severity.WARNING, "slow") for number in range(20)]
    findings.append(finding("airbyte/orders", Severity.ERROR))
    whole = by_scope(findings, {"airbyte": 40})["all"]
    assert len(whole.recommendations) == 10
    assert whole.recommendations[0].startswith("The orders sync (failed)")
    assert len(whole.findings) == 21


def test_a_finding_without_a_next_step_still_gets_a_command() -> None:
    found = by_scope([finding("airbyte/orders", Severity.ERROR, next_step="")])
    assert found["all"].recommendations == ("The orders sync (failed): dogwatch runs --job orders",)


def test_a_component_in_trouble_is_not_counted_as_a_job() -> None:
    pipelines = {"reading": {"airbyte/orders", "component/extractor"}}
    found = by_scope([finding("component/extractor", Severity.CRITICAL, "threshold")], pipelines=pipelines)
    assert found["reading"].summary == "reading: 1 component beyond the usual"
    assert (found["reading"].kind, found["reading"].overall_health) == (ScopeKind.pipeline, Health.degraded)
    assert found["airbyte"].overall_health is Health.healthy
    assert found["all"].risk_level is RiskLevel.CRITICAL
