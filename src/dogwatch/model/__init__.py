"""The nouns: the same object is the row, the JSON, the template variable and the agent's schema."""

from dogwatch.model.action import Action, ActionState, Risk
from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.cause import Cause, Confidence
from dogwatch.model.cause_class import CauseClass
from dogwatch.model.delivery import NOWHERE, Delivery, DeliveryState, Reach
from dogwatch.model.event import Event
from dogwatch.model.evidence import Evidence, EvidenceKind, content_id
from dogwatch.model.expectation import Basis, Expectation, ExpectationState
from dogwatch.model.finding import Finding, Severity
from dogwatch.model.health import Health, HealthAssessment, Priority, RiskLevel, ScopeKind
from dogwatch.model.incident import Affected, Deadline, Harm, Incident, IncidentState, Turn, TurnKind
from dogwatch.model.message import Block, Consent, Fields, Items, Message, Occasion, Quote, Steps, Text
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
from dogwatch.model.signal import Alert, Change, ChangeKind, MetricSeries
from dogwatch.model.source import Source

__all__ = [
    "NOWHERE",
    "Action",
    "ActionState",
    "Affected",
    "Alert",
    "Basis",
    "Block",
    "Cause",
    "CauseClass",
    "Change",
    "ChangeKind",
    "Confidence",
    "Consent",
    "Deadline",
    "Delivery",
    "DeliveryState",
    "Event",
    "Evidence",
    "EvidenceKind",
    "Expectation",
    "ExpectationState",
    "Fields",
    "Finding",
    "Harm",
    "Health",
    "HealthAssessment",
    "Incident",
    "IncidentState",
    "Items",
    "Job",
    "JobState",
    "Message",
    "MetricSeries",
    "Noun",
    "Occasion",
    "Priority",
    "Quote",
    "Reach",
    "Risk",
    "RiskLevel",
    "Run",
    "Schedule",
    "ScheduleKind",
    "ScopeKind",
    "Severity",
    "Source",
    "Status",
    "Steps",
    "Text",
    "Turn",
    "TurnKind",
    "UtcTime",
    "content_id",
    "job_subject",
    "run_uid",
]
