"""An investigation: what the rules and the agents say of one incident, side by side."""

from typing import Literal

from pydantic import Field

from dogwatch.model.base import Noun, UtcTime
from dogwatch.model.cause import Cause, Confidence
from dogwatch.model.cause_class import CauseClass
from dogwatch.model.finding import Severity
from dogwatch.model.health import Health, HealthAssessment, Priority, RiskLevel
from dogwatch.model.precedent import Precedent

Short = Field(min_length=1, max_length=400)
"""One or two sentences; whoever writes more is asked to write less."""
Id = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,19}$")
Cited = Field(min_length=1, max_length=12)


class SortedError(Noun):
    """One distinct error, as triage lists it."""

    error_id: str = Id
    """A short name within this report: E1, E2."""
    timestamp: UtcTime | None = None
    """When it happened first; None if the evidence does not tell."""
    component: str = Field(min_length=1, max_length=200)
    """Subject of the job or platform."""
    message: str = Short
    """What went wrong, in the platform's own words."""
    severity: Severity
    evidence: tuple[str, ...] = Cited
    """Evidence ids in which it stands."""


class HealthWords(Noun):
    """How what is hit is, in the words of ``HealthAssessment``."""

    overall_health: Health
    risk_level: RiskLevel
    requires_notification: bool
    notification_priority: Priority


class Triage(Noun):
    """What triage answers."""

    total_events: int = Field(ge=0, le=1_000_000)
    """Facts that were looked at."""
    errors: tuple[SortedError, ...] = Field(default=(), max_length=20)
    health: HealthWords
    summary: str = Short
    """One or two sentences about the errors above."""


class Issue(Noun):
    """One claim of root cause."""

    error_id: str = Id
    """The error of the triage that it explains."""
    root_cause: str = Short
    """One sentence."""
    cause_class: CauseClass | None = None
    """What sort of cause; null if the evidence does not show it."""
    subject: str = Field(min_length=1, max_length=200)
    """Subject of the job, component or platform where it began."""
    evidence: tuple[str, ...] = Cited
    """Evidence ids that show it."""
    suggested_fix: str = Short
    """What a person can do."""


class Statement(Noun):
    """One sentence with what shows it."""

    text: str = Short
    evidence: tuple[str, ...] = Cited


class Analysis(Noun):
    """What root cause answers."""

    issues: tuple[Issue, ...] = Field(default=(), max_length=10)
    patterns: tuple[Statement, ...] = Field(default=(), max_length=10)
    """What several errors have in common."""
    metrics_correlation: tuple[Statement, ...] = Field(default=(), max_length=10)
    """Metrics that moved with them."""
    not_known: str = Field(default="", max_length=400)
    """What was searched without a result."""


class Line(Noun):
    """One sentence of a report and the issues it is about."""

    text: str = Short
    issues: tuple[str, ...] = Field(min_length=1, max_length=10)
    """Their ``error_id``."""


class ReportWords(Noun):
    """What the reporter answers."""

    executive_summary: tuple[Line, ...] = Field(min_length=1, max_length=4)
    critical_issues: tuple[Line, ...] = Field(default=(), max_length=10)
    action_items: tuple[Line, ...] = Field(default=(), max_length=10)
    email_subject: Line
    email_opening: Line


class Answer(Noun):
    """What a specialist answers."""

    statements: tuple[Statement, ...] = Field(default=(), max_length=12)
    not_known: str = Field(default="", max_length=400)
    """What was searched without a result."""
    unclear: str = Field(default="", max_length=400)
    """What of the question is not clear."""


class Dropped(Noun):
    """Something that an agent said and that does not stand."""

    agent: str
    what: str
    """The part of its answer."""
    kind: str
    """Why, in one word of ``agents.grounding``."""
    why: str


class Usage(Noun):
    """What agents used."""

    requests: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = None
    """None if the price of the model is not known."""
    seconds: float = 0.0


class Disagreement(Noun):
    """Where rules and agents differ."""

    rules: str
    agents: str


class Investigation(Noun):
    """The answer of ``dogwatch investigate``."""

    format: Literal["dogwatch.investigation/1"] = "dogwatch.investigation/1"
    at: UtcTime
    timezone: str
    incident: str
    """INC-7."""
    title: str
    severity: Severity
    culprit: str
    culprit_name: str
    by: Literal["rules", "agents"]
    """rules: no agent said anything that stands."""
    note: str = ""
    """Why agents said nothing, or stopped early; empty if they came to their end."""
    triage: Triage | None = None
    analysis: Analysis = Analysis()
    """Without what was dropped."""
    causes: tuple[Cause, ...] = ()
    """The agents' claims; their confidence is computed."""
    rules: tuple[Cause, ...] = ()
    """The rules' own, best first."""
    disagreements: tuple[Disagreement, ...] = ()
    health: HealthAssessment | None = None
    """The agents' view of the incident's scope."""
    rules_health: tuple[HealthAssessment, ...] = ()
    """The rules' own, of the last round: the whole, and the platform where it began."""
    report: ReportWords | None = None
    """None if the words are the rules'."""
    precedents: tuple[Precedent, ...] = ()
    proposals: tuple[str, ...] = ()
    """Ids of actions that agents proposed in this run; people decide."""
    questions: tuple[str, ...] = ()
    """What agents ask people."""
    told: tuple[str, ...] = ()
    """Where people were told of the incident, by the outbox; empty if nobody was."""
    dashboard: str = ""
    """Where a person can look."""
    dropped: tuple[Dropped, ...] = ()
    usage: Usage = Usage()
    headroom: dict[str, float] = Field(default_factory=dict[str, float])
    """What the provider still allows, by its own headers: requests, tokens."""

    def sure(self) -> Confidence | None:
        """How sure the evidence makes us of the agents' first claim."""
        return self.causes[0].confidence if self.causes else None
