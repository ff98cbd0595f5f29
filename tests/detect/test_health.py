"""The health of the whole, of platforms and of pipelines."""

from collections.abc import Mapping, Sequence

import pytest

from dogwatch.detect.health import assess
from dogwatch.model import Finding, Health, HealthAssessment, Job, Priority, RiskLevel, Severity
from support.cast import NOON, a_job

JOBS = {
    (instance, name): a_job(name, platform=instance, instance=instance)
    for instance, name in [("airbyte", "orders"), ("airbyte", "users"), ("databricks", "sales")]
}
PIPELINES = {"sales": {"airbyte/orders", "databricks/sales"}, "people": {"airbyte/users"}}


def finding(subject: str, severity: Severity, rule: str = "failed", **changes: object) -> Finding:
    values: dict[str, object] = {
        "rule": rule,
        "subject": subject,
        "severity": severity,
        "summary": "…",
        "evidence": ("e",),
        "fingerprint": f"{rule}-{subject}",
        "at": NOON,
        "next_step": f"dogwatch runs --job {subject}",
        **changes,
    }
    return Finding.model_validate(values)


def by_scope(
    findings: Sequence[Finding], jobs: Mapping[tuple[str, str], Job] = JOBS
) -> dict[str, HealthAssessment]:
