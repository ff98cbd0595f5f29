"""The nouns: the same object is the row, the JSON, the template variable and the agent's schema."""

from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.evidence import Evidence, EvidenceKind, content_id
from dogwatch.model.expectation import Basis, Expectation, ExpectationState
from dogwatch.model.finding import Finding, Severity
from dogwatch.model.health import Health, HealthAssessment, Priority, RiskLevel
from dogwatch.model.run import (
    Job,
    JobState,
    Run,
    Schedule,
    ScheduleKind,
    Status,
    job_subject,
    run_uid,
)
from dogwatch.model.source import Source

__all__ = [
    "Basis",
    "Evidence",
    "EvidenceKind",
    "Expectation",
    "ExpectationState",
    "Finding",
    "Health",
    "HealthAssessment",
    "Job",
    "JobState",
    "Noun",
    "Priority",
    "RiskLevel",
    "Run",
    "Schedule",
    "ScheduleKind",
    "Severity",
    "Source",
    "Status",
    "UtcTime",
    "content_id",
    "job_subject",
    "run_uid",
]
