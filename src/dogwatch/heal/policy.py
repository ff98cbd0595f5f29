"""The policy: what may be done without asking, what a person has to consent to, what is never done. Pure.

Rules are read from top to bottom; the first that matches decides. What no rule matches is asked. Safeguards
stand above all rules: the stop switch, bounds, the breaker, and that nothing is done twice or in vain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from dogwatch.model import Action, CauseClass, Risk, Severity
from dogwatch.model.described import Described

ANY = "*"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Decision(StrEnum):
    """What becomes of a proposal."""

    allow = "allow"
    ask = "ask"
    refuse = "refuse"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision, and always why."""

    decision: Decision
    why: str


def _words(value: object) -> object:
    """One word is a list of one."""
    return (value,) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class Rule(Described):
    """One rule of the policy file. Every key that is given has to match."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    then: Decision
    """allow, ask or refuse."""
    verbs: Words
    """The verbs it is about, or "*" for all (which never allows what is destructive)."""
    platforms: Words = ()
    """Platforms, such as airbyte."""
    jobs: Words = ()
    """Jobs as platform/id or platform/name; * and ? stand for anything."""
    environments: Words = ()
    """Environments of the pipelines that the job belongs to."""
    severity: Annotated[tuple[Severity, ...], BeforeValidator(_words)] = ()
    """Severities of the incident."""
    causes: Annotated[tuple[CauseClass, ...], BeforeValidator(_words)] = ()
    """Classes of the incident's cause."""
    confirmed_only: bool = False
    """Only if the cause is confirmed."""
    hours: str = ""
    """A time of day in the reader's zone, such as "22:00-06:00"."""
    days: Words = ()
    """Weekdays, such as [sat, sun]."""
    at_most_per_day: int | None = Field(default=None, ge=0)
    """How often this rule may allow the same verb on the same job in 24 hours; beyond it, it asks."""
    why: str = ""
    """The reason, told with every decision."""

    @field_validator("verbs")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not all(value):
            raise ValueError("names no verb")
        return value

    @field_validator("hours")
    @classmethod
    def _clock(cls, value: str) -> str:
        if value:
            _hours(value)
        return value

    @field_validator("days")
    @classmethod
    def _weekday(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [day for day in value if day not in _DAYS]
        if unknown:
            raise ValueError(f"{unknown[0]!r:.20} is no weekday; known: {', '.join(_DAYS)}")
        return value


class Bounds(Described):
    """How much may be done at all, consent or not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_round: int = Field(default=10, ge=0)
    """Actions in one round."""
    per_hour: int = Field(default=20, ge=0)
    """Actions in one hour, over everything."""
    per_job_per_hour: int = Field(default=2, ge=0)
    """Actions on one job in one hour."""
    per_incident: int = Field(default=3, ge=0)
    """Actions for one incident, in all."""
    failures: int = Field(default=3, ge=1)
    """After so many actions in a row that failed or made things worse the breaker opens."""
    pause_minutes: int = Field(default=60, ge=1)
    """How long the breaker stays open."""


class Person(Described):
    """Somebody who may consent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slack: str = ""
    """Slack user id, such as U024BE7LH, if this person may press buttons there."""
    team: str = ""
    """Slack team id of that user."""
    verbs: Words = (ANY,)
    """The verbs this person may consent to."""
    destructive: bool = False
    """Whether this person may consent to destructive actions."""


class Command(Described):
    """A local command that may be proposed. Its arguments are fixed: nothing is ever put into them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: Annotated[tuple[str, ...], Field(min_length=1)]
    """The program's full path and its arguments, as a list; no shell is involved."""
    risk: Risk = Risk.disruptive
    """safe, disruptive or destructive."""
    jobs: Words
    """The jobs whose incidents it may mend; * and ? stand for anything."""
    causes: Annotated[tuple[CauseClass, ...], BeforeValidator(_words)] = ()
    """Only for these classes of cause."""
    timeout_seconds: int = Field(default=60, ge=1, le=3600)
    """After so long it is ended, and counts as failed."""

    @field_validator("run")
    @classmethod
    def _whole(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value[0].startswith("/"):
            raise ValueError("begin with the program's full path")
        return value


class Hook(Described):
    """A signed webhook that may be called."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    """Where to post, https://…"""
    secret_env: str
    """Name of the environment variable that holds the signing secret."""
    risk: Risk = Risk.disruptive
    """safe, disruptive or destructive."""
    jobs: Words
    """The jobs whose incidents it may mend; * and ? stand for anything."""
    causes: Annotated[tuple[CauseClass, ...], BeforeValidator(_words)] = ()
    """Only for these classes of cause."""


class Policy(Described):
    """The policy file, ``policy.yaml`` beside dogwatch.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: Literal[Decision.ask, Decision.refuse] = Decision.ask
    """What happens to proposals that no rule matches: ask or refuse."""
    rules: tuple[Rule, ...] = ()
    """Read from top to bottom; the first that matches decides."""
    bounds: Bounds = Bounds()
    """How much may be done at all."""
    people: Mapping[str, Person] = Field(default_factory=dict[str, Person])
    """Who may consent, by name. Nobody named: whoever can run the command line here."""
    commands: Mapping[str, Command] = Field(default_factory=dict[str, Command])
    """Local commands that may be proposed, by name."""
    webhooks: Mapping[str, Hook] = Field(default_factory=dict[str, Hook])
    """Webhooks that may be called, by name."""
    consent_minutes: int = Field(default=240, ge=1)
    """How long a proposal waits for consent before it expires."""

    @model_validator(mode="after")
    def _explicit(self) -> "Policy":
        for number, rule in enumerate(self.rules, 1):
            if rule.then is Decision.allow and ANY in rule.verbs and not (rule.platforms or rule.jobs):
                raise ValueError(f"rule {number} allows everything everywhere; name verbs, platforms or jobs")
        return self


@dataclass(frozen=True, slots=True)
class Case:
    """What a decision rests on beside the action itself."""

    now: datetime
    timezone: str
    offered: bool
    """Whether the connector (or the policy file) has this verb at all."""
    severity: Severity
    """Of the incident."""
    cause: CauseClass | None = None
    confirmed: bool = False
    platform: str = ""
    environments: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Done:
    """An earlier action, as the safeguards see it."""

    digest: str
    verb: str
    target: str
    incident: int
    at: datetime
    """When it was begun."""
    in_flight: bool
    """Begun and not verified yet."""
    helped: bool | None
    """None if nobody knows yet."""
    failed: bool = False
    """The platform did not take it, or it made things worse."""


@dataclass(frozen=True, slots=True)
class Recent:
    """What was done before."""

    done: Sequence[Done] = ()
    """Of the last 24 hours and of live incidents, oldest first."""
    halted_by: str = ""
    """Who pulled the stop switch; empty if nobody did."""
    this_round: int = 0
    """Actions begun in this round."""
    allowed: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """By (verb, target): how often policy allowed it by itself in the last 24 hours."""


def decide(action: Action, policy: Policy, recent: Recent, case: Case) -> Verdict:
    """Whether an action may be done, has to be asked for, or is refused; always with a why.

    A proposal that is refused for its bounds may be proposed again later.
    """
    if not case.offered:
        return Verdict(Decision.refuse, f"{action.verb!r:.40} is not a verb that {action.connector} offers")
    stopped = hindered(action, policy.bounds, recent, case.now)
    if stopped:
        return Verdict(Decision.refuse, stopped)
    number, rule = next(
        ((n, rule) for n, rule in enumerate(policy.rules, 1) if _matches(rule, action, case)), (0, None)
    )
    if rule is None:
        return _bare(action, policy)
    told = f"rule {number}" + (f": {rule.why}" if rule.why else "")
    if rule.then is not Decision.allow:
        return Verdict(rule.then, told)
    if action.risk is Risk.destructive and action.verb not in rule.verbs:
        return Verdict(Decision.ask, f"{told}, but what is destructive is allowed only by its own name")
    already = recent.allowed.get((action.verb, action.target), 0)
    if rule.at_most_per_day is not None and already >= rule.at_most_per_day:
        return Verdict(Decision.ask, f"{told}, but that was done {already} times in 24 hours already")
    return Verdict(Decision.allow, told)


def _bare(action: Action, policy: Policy) -> Verdict:
    if policy.default is Decision.refuse:
        return Verdict(Decision.refuse, "no rule allows it, and the policy refuses what no rule mentions")
    return Verdict(Decision.ask, "no rule speaks of it, so a person decides")


def hindered(action: Action, bounds: Bounds, recent: Recent, now: datetime) -> str:
    """Why an action may not be begun now, whatever rules and people say; empty if nothing prevents it."""
    if recent.halted_by:
        return f"everything is halted by {recent.halted_by}; dogwatch halt --off ends that"
    same = [one for one in recent.done if (one.verb, one.target) == (action.verb, action.target)]
    if any(one.in_flight for one in same):
        return "the same is under way already"
    if any(one.incident == action.incident and one.helped is False for one in same):
        return "it was tried for this incident and did not help"
    hour = [one for one in recent.done if one.at > now - timedelta(hours=1)]
    counts = (
        (recent.this_round, bounds.per_round, "in this round"),
        (len(hour), bounds.per_hour, "in an hour"),
        (
            sum(one.target == action.target for one in hour),
            bounds.per_job_per_hour,
            "on this job in an hour",
        ),
        (
            sum(one.incident == action.incident for one in recent.done),
            bounds.per_incident,
            "for this incident",
        ),
    )
    for count, most, where in counts:
        if count >= most:
            return f"the bound of {most} actions {where} is reached"
    return _broken(bounds, recent, now)


def _broken(bounds: Bounds, recent: Recent, now: datetime) -> str:
    """Why the breaker is open; empty if it is closed."""
    known = [one for one in recent.done if not one.in_flight]
    last = known[-bounds.failures :]
    if len(last) < bounds.failures or not all(one.failed for one in last):
        return ""
    until = last[-1].at + timedelta(minutes=bounds.pause_minutes)
    if now >= until:
        return ""
    return f"the breaker is open until {until:%H:%M} UTC: the last {bounds.failures} actions failed"


def _matches(rule: Rule, action: Action, case: Case) -> bool:
    local = case.now.astimezone(ZoneInfo(case.timezone))
    return (
        (ANY in rule.verbs or action.verb in rule.verbs)
        and (not rule.platforms or case.platform in rule.platforms)
        and (not rule.jobs or named(rule.jobs, action.target, action.target_name))
        and (not rule.environments or not case.environments.isdisjoint(rule.environments))
        and (not rule.severity or case.severity in rule.severity)
        and (not rule.causes or case.cause in rule.causes)
        and (not rule.confirmed_only or case.confirmed)
        and (not rule.hours or _within(_hours(rule.hours), local.time()))
        and (not rule.days or _DAYS[local.weekday()] in rule.days)
    )


def named(patterns: Sequence[str], subject: str, name: str) -> bool:
    """Whether one of the patterns means this job, by subject or by ``<instance>/<name>``.

    Never by the name alone: another platform may have a job of the same name.
    """
    instance = subject.partition("/")[0]
    known = (subject, f"{instance}/{name}")
    return any(fnmatchcase(one, pattern) for pattern in patterns for one in known)


def _hours(text: str) -> tuple[time, time]:
    """``22:00-06:00`` as two times of day. Raises ValueError."""
    begin, _, end = text.partition("-")
    try:
        return cast("tuple[time, time]", tuple(time.fromisoformat(part.strip()) for part in (begin, end)))
    except ValueError:
        raise ValueError('is no span of hours: write "22:00-06:00"') from None


def _within(span: tuple[time, time], at: time) -> bool:
    begin, end = span
    return begin <= at < end if begin <= end else at >= begin or at < end
