"""How well a pipeline, a platform or everything is, in the few words that decide whether to wake somebody."""

from enum import StrEnum

from dogwatch.model.base import Noun, UtcTime


class Health(StrEnum):
    """One word for it."""

    healthy = "healthy"
    degraded = "degraded"
    """Something is unusual; the work is being done."""
    unhealthy = "unhealthy"
    """Work is not being done."""
    unknown = "unknown"
    """It cannot be seen; nothing is claimed."""


class RiskLevel(StrEnum):
    """What may come of it if nobody acts."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"


class Priority(StrEnum):
    """How urgently somebody should hear of it."""

    low = "low"
    normal = "normal"
    high = "high"
    urgent = "urgent"


class ScopeKind(StrEnum):
    """What an assessment is about."""

    all = "all"
    platform = "platform"
    pipeline = "pipeline"


class HealthAssessment(Noun):
    """The state of one pipeline, one platform or the whole."""

    scope: str
    """The pipeline's name, the instance, or ``all``."""
    kind: ScopeKind = ScopeKind.all
    overall_health: Health
    summary: str
    """One sentence with the numbers it rests on."""
    risk_level: RiskLevel
    recommendations: tuple[str, ...] = ()
    """What to do, worst first; each names the job and a command or a link."""
    requires_notification: bool = False
    notification_priority: Priority = Priority.normal
    findings: tuple[str, ...] = ()
    """Fingerprints of the findings it rests on, worst first."""
    at: UtcTime
