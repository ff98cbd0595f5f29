"""The crew at work on one incident: triage, root cause, reporter, in this order. Knows no agent framework.

Whatever the agents say, the rules' own result stands beside it unchanged. What does not stand after two
send-backs is dropped and recorded; where a run ends early, what is known so far is the answer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from dogwatch.agents.data import block
from dogwatch.agents.grounding import (
    Ground,
    Objection,
    cited,
    ground_of,
    judge_issue,
    judge_line,
    supported,
    sure_of,
    worded,
)
from dogwatch.agents.roster_files import AgentFile
from dogwatch.agents.session import CITING, Desk, Purse, Runtime, Session, Spent, Task, within
from dogwatch.agents.spans import Spans
from dogwatch.agents.tools import TOOLS, call
from dogwatch.model import Cause, HealthAssessment, ScopeKind
from dogwatch.model.dossier import Dossier
from dogwatch.model.investigation import (
    Analysis,
    Disagreement,
    Dropped,
    Investigation,
    Issue,
    Line,
    ReportWords,
    Statement,
    Triage,
)
from dogwatch.model.precedent import Precedent
from dogwatch.model.text import one_line

TRIAGE, ROOT_CAUSE, REPORTER = "triage", "root-cause", "reporter"
_PRECEDENTS = 3
_FACTS = 50


@dataclass(slots=True)
class _Known:
    """What a run has found out so far."""

    triage: Triage | None = None
    analysis: Analysis = field(default_factory=Analysis)
    report: ReportWords | None = None
    dropped: list[Dropped] = field(default_factory=list[Dropped])
    note: str = ""
    unavailable: bool = False


class Crew:
    """Agents that investigate incidents."""

    def __init__(
        self,
        roster: Mapping[str, AgentFile],
        runtime: Runtime,
        desk: Desk,
        purse: Callable[[], Purse] = Purse,
        progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._roster = roster
        self._runtime = runtime
        self._desk = desk
        self._purse = purse
        self._progress = progress
        self.spans: Spans | None = None
        """What the last investigation consisted of; None before the first."""

    async def investigate(self, number: int) -> Investigation:
        """Everything that rules and agents say of an incident. Raises IncidentError or StoreError."""
        dossier = await self._desk.incident(number)
        precedents = await self._desk.similar(number, _PRECEDENTS)
        names = [name for one in precedents for name in (one.incident, one.culprit)]
        session = Session(
            number,
            self._desk,
            ground_of(dossier, names, self._desk.scrub),
            self._roster,
            self._runtime,
            self._purse(),
            self._progress,
        )
        known = _Known()
        self.spans = session.spans
        began = self._desk.now()
        await self._desk.record("agent:crew", "agent.started", session.shelf, {"by": "crew"})
        try:
            with session.spans.run(session.subject):
                await within(session.purse.seconds, self._stages(session, dossier, precedents, known))
        except Spent as spent:
            known.note = str(spent)
            await session.tried("crew", "stopped", "run", str(spent))
        seconds = (self._desk.now() - began).total_seconds()
        session.purse.used = session.purse.used.model_copy(update={"seconds": round(seconds, 3)})
        found = await conclude(session, dossier, precedents, known)
        await self._desk.record("agent:crew", "agent.finished", session.subject, _ending(found, session))
        return found

    async def _stages(
        self, session: Session, dossier: Dossier, precedents: Sequence[Precedent], known: _Known
    ) -> None:
        facts = await self._facts(session)
        if not await self._sort(session, facts, known):
            return
        past = block("precedents", [one.model_dump(mode="json") for one in precedents])
        if not await self._explain(session, f"{facts}\n{past}", dossier, known):
            return
        if known.analysis.issues:
            await self._put_into_words(session, dossier, known)

    async def _facts(self, session: Session) -> str:
        """The incident and its evidence, as every agent gets them."""
        desk, number = self._desk, session.number
        shown = await call(TOOLS["show_incident"], desk, {"incident": number}, "agent:crew")
        facts = await call(TOOLS["read_evidence"], desk, {"incident": number, "limit": _FACTS}, "agent:crew")
        return f"{block('show_incident', shown)}\n{block('read_evidence', facts)}\n{CITING}"

    async def _sort(self, session: Session, facts: str, known: _Known) -> bool:
        agent = self._roster[TRIAGE]
        await session.say("orchestrator", TRIAGE, "task", f"sort what is wrong in {session.subject}")
        self._progress(f"{TRIAGE} sorts {session.subject}")
        task = Task(agent, f"Sort {session.subject}.\n{facts}", Triage, _triage_check(session.ground), 0)
        outcome = await self._runtime.run(task, session)
        if outcome.output is None:
            return await self._ended(session, TRIAGE, outcome.stopped, known, outcome.unavailable)
        known.triage = await self._sift_triage(session, outcome.output, known)
        await session.say(TRIAGE, ROOT_CAUSE, "result", known.triage.summary)
        return not outcome.stopped or await self._ended(
            session, TRIAGE, outcome.stopped, known, outcome.unavailable
        )

    async def _explain(self, session: Session, facts: str, dossier: Dossier, known: _Known) -> bool:
        agent, triage = self._roster[ROOT_CAUSE], known.triage
        await session.say("orchestrator", ROOT_CAUSE, "task", f"explain {session.subject}")
        self._progress(f"{ROOT_CAUSE} explains {session.subject}")
        sorted_ = block("triage", triage.model_dump(mode="json") if triage else None)
        prompt = f"Explain {session.subject}.\n{sorted_}\n{facts}"
        errors = [one.error_id for one in triage.errors] if triage else []
        task = Task(agent, prompt, Analysis, _analysis_check(session.ground, errors), agent.limits.depth)
        outcome = await self._runtime.run(task, session)
        if outcome.output is None:
            return await self._ended(session, ROOT_CAUSE, outcome.stopped, known, outcome.unavailable)
        known.analysis = await self._sift_analysis(session, outcome.output, errors, known)
        said = "; ".join(one.root_cause for one in known.analysis.issues) or "no cause is shown"
        await session.say(ROOT_CAUSE, REPORTER, "result", said)
        return not outcome.stopped or await self._ended(
            session, ROOT_CAUSE, outcome.stopped, known, outcome.unavailable
        )

    async def _put_into_words(self, session: Session, dossier: Dossier, known: _Known) -> None:
        agent = self._roster[REPORTER]
        issues = {one.error_id: one for one in known.analysis.issues}
        await session.say("orchestrator", REPORTER, "task", f"report on {session.subject}")
        self._progress(f"{REPORTER} writes about {session.subject}")
        incident = dossier.incident
        given = {
            "incident": {"name": incident.name, "title": incident.title, "severity": incident.severity},
            "affected": [{"name": one.name, "harm": one.harm} for one in incident.affected[:20]],
            "issues": [
                {**one.model_dump(mode="json"), "confidence": sure_of(one, session.ground).confidence}
                for one in known.analysis.issues
            ],
        }
        prompt = f"Write the report on {session.subject}.\n{block('analysis', _fit(given, session))}"
        check = _report_check(session.ground, issues)
        outcome = await self._runtime.run(Task(agent, prompt, ReportWords, check, 0), session)
        if outcome.output is None:
            await self._ended(session, REPORTER, outcome.stopped, known, outcome.unavailable)
            return
        known.report = await self._sift_report(session, outcome.output, issues, known)
        await session.say(REPORTER, "orchestrator", "result", "the report is written")

    async def _ended(self, session: Session, agent: str, why: str, known: _Known, unavailable: bool) -> bool:
        known.note = f"{agent}: {why}"
        known.unavailable = unavailable
        await session.say(agent, "orchestrator", "stopped", why)
        return False

    # ── what does not stand is dropped ──────────────────────────────────────────────────────────────────────

    async def _sift_triage(self, session: Session, said: Triage, known: _Known) -> Triage:
        found = _triage_check(session.ground)(said)
        bad = await _drop(session, TRIAGE, found, known)
        errors = tuple(one for at, one in enumerate(said.errors) if f"errors[{at}]" not in bad)
        summary = "" if "summary" in bad else said.summary
        own = f"{len(errors)} of {len(said.errors)} errors stand in the evidence"
        total = min(said.total_events, len(session.ground.evidence))
        return said.model_copy(update={"errors": errors, "summary": summary or own, "total_events": total})

    async def _sift_analysis(
        self, session: Session, said: Analysis, errors: Sequence[str], known: _Known
    ) -> Analysis:
        found = _analysis_check(session.ground, errors)(said)
        bad = await _drop(session, ROOT_CAUSE, found, known)

        def stands(name: str, items: Sequence[Statement]) -> tuple[Statement, ...]:
            return tuple(one for at, one in enumerate(items) if f"{name}[{at}]" not in bad)

        return Analysis(
            issues=tuple(one for at, one in enumerate(said.issues) if f"issues[{at}]" not in bad),
            patterns=stands("patterns", said.patterns),
            metrics_correlation=stands("metrics_correlation", said.metrics_correlation),
            not_known="" if "not_known" in bad else said.not_known,
        )

    async def _sift_report(
        self, session: Session, said: ReportWords, issues: Mapping[str, Issue], known: _Known
    ) -> ReportWords | None:
        found = _report_check(session.ground, issues)(said)
        bad = await _drop(session, REPORTER, found, known)

        def stands(name: str, lines: Sequence[Line]) -> tuple[Line, ...]:
            return tuple(one for at, one in enumerate(lines) if f"{name}[{at}]" not in bad)

        summary = stands("executive_summary", said.executive_summary)
        if not summary or bad & {"email_subject", "email_opening"}:
            return None  # the rules' words are whole; half of a report is worse
        return ReportWords(
            executive_summary=summary,
            critical_issues=stands("critical_issues", said.critical_issues),
            action_items=stands("action_items", said.action_items),
            email_subject=said.email_subject,
            email_opening=said.email_opening,
        )


def _fit(value: object, session: Session) -> JsonValue:
    from dogwatch.agents.data import fit

    return fit(value, session.desk.scrub)


async def _drop(session: Session, agent: str, found: Iterable[Objection], known: _Known) -> set[str]:
    """Record what is dropped; returns the parts, ``issues[0]`` for anything within them."""
    bad: set[str] = set()
    for one in found:
        part = one.what.partition(".")[0]
        if part not in bad:
            known.dropped.append(Dropped(agent=agent, what=part, kind=one.kind, why=session.fit(one.why)))
            await session.tried(agent, one.kind, one.what, one.why)
            await session.say("grounding", agent, "dropped", f"{part}: {one.kind}: {one.why}")
        bad.add(part)
    return bad


# ── checks ──────────────────────────────────────────────────────────────────────────────────────────────────


def _triage_check(ground: Ground) -> Callable[[Triage], list[Objection]]:
    def check(said: Triage) -> list[Objection]:
        found: list[Objection] = []
        for at, one in enumerate(said.errors):
            what = f"errors[{at}]"
            bad = cited(what, one.evidence, ground)
            if one.component not in ground.subjects:
                why = f"{one_line(one.component, 60)!r} has nothing to do with the incident"
                bad.append(Objection(what, "foreign_subject", why))
            bad = bad or worded(what, one.message, one.evidence, ground)
            found += bad or supported(what, one.message, one.evidence, ground)
            if one.error_id in {other.error_id for other in said.errors[:at]}:
                found.append(Objection(what, "duplicate", f"{one.error_id} stands there twice"))
        found += worded("summary", said.summary, list(ground.evidence), ground)
        return found or supported("summary", said.summary, list(ground.evidence), ground)

    return check


def _analysis_check(ground: Ground, errors: Sequence[str]) -> Callable[[Analysis], list[Objection]]:
    def check(said: Analysis) -> list[Objection]:
        found: list[Objection] = []
        for at, one in enumerate(said.issues):
            what = f"issues[{at}]"
            found += judge_issue(what, one, errors, ground)
            if one.error_id in {other.error_id for other in said.issues[:at]}:
                found.append(Objection(what, "duplicate", f"{one.error_id} is explained twice"))
        for name in ("patterns", "metrics_correlation"):
            items: Sequence[Statement] = getattr(said, name)
            for at, item in enumerate(items):
                what = f"{name}[{at}]"
                bad = cited(what, item.evidence, ground) or worded(what, item.text, item.evidence, ground)
                found += bad or supported(what, item.text, item.evidence, ground)
        if said.not_known:
            found += worded("not_known", said.not_known, list(ground.evidence), ground)
        return found

    return check


def _report_check(ground: Ground, issues: Mapping[str, Issue]) -> Callable[[ReportWords], list[Objection]]:
    def check(said: ReportWords) -> list[Objection]:
        found: list[Objection] = []
        for name in ("executive_summary", "critical_issues", "action_items"):
            lines: Sequence[Line] = getattr(said, name)
            for at, line in enumerate(lines):
                found += judge_line(f"{name}[{at}]", line, issues, ground)
        for name in ("email_subject", "email_opening"):
            found += judge_line(name, getattr(said, name), issues, ground)
        return found

    return check


# ── the answer ──────────────────────────────────────────────────────────────────────────────────────────────


async def conclude(
    session: Session, dossier: Dossier, precedents: Sequence[Precedent], known: _Known
) -> Investigation:
    """What stands, beside what the rules say."""
    assessed, _, _ = await session.desk.health()
    found = by_rules(dossier, precedents, assessed, known.note, session.desk)
    causes = tuple(sure_of(one, session.ground) for one in known.analysis.issues)
    stands = bool(causes or known.analysis.patterns or (known.triage and known.triage.errors))
    told = {
        "by": "agents",
        "triage": known.triage,
        "health": _health(known.triage, dossier, session),
    }
    beside = {
        "analysis": known.analysis,
        "causes": causes,
        "disagreements": tuple(_disagreements(causes, found.rules)),
        "report": known.report,
        "proposals": tuple(session.proposals),
        "questions": tuple(session.questions),
        "dropped": tuple(known.dropped),
        "usage": session.purse.used,
        "headroom": dict(session.runtime.headroom),
    }
    return found.model_copy(update=beside | (told if stands else {}))


def _disagreements(causes: Sequence[Cause], rules: Sequence[Cause]) -> Iterable[Disagreement]:
    """Where the first of each differ, and claims about what the rules do not suspect at all."""
    if not causes:
        return
    if not rules:
        yield Disagreement(rules="the rules know no cause", agents=causes[0].claim)
        return
    first, theirs = rules[0], causes[0]
    if (first.subject, first.cause_class) != (theirs.subject, theirs.cause_class):
        yield Disagreement(rules=_stated(first), agents=_stated(theirs))
    suspected = {one.subject for one in rules}
    for other in causes[1:]:
        if other.subject not in suspected:
            yield Disagreement(rules=f"{other.subject} is not suspected", agents=_stated(other))


def _stated(cause: Cause) -> str:
    named = cause.cause_class.value if cause.cause_class else "no class"
    return f"{cause.claim} ({named}, {cause.confidence}, at {cause.subject})"


def _health(triage: Triage | None, dossier: Dossier, session: Session) -> HealthAssessment | None:
    if triage is None:
        return None
    return HealthAssessment(
        scope=dossier.incident.culprit.partition("/")[0],
        kind=ScopeKind.platform,
        overall_health=triage.health.overall_health,
        summary=triage.summary,
        risk_level=triage.health.risk_level,
        requires_notification=triage.health.requires_notification,
        notification_priority=triage.health.notification_priority,
        findings=dossier.incident.findings,
        at=session.now(),
    )


def _dashboard(dossier: Dossier) -> str:
    """The platform's own page of what is wrong first; never an address that a model names."""
    urls = [*(one.url for one in dossier.findings), *(one.url for one in dossier.evidence)]
    return next((url for url in urls if url), "")


def _ending(found: Investigation, session: Session) -> Mapping[str, JsonValue]:
    """What the record keeps of a run."""
    return {
        "by": found.by,
        "note": found.note,
        "issues": len(found.analysis.issues),
        "dropped": len(found.dropped),
        "refused": {**session.tally()},
        "usage": found.usage.model_dump(mode="json"),
        "headroom": {**found.headroom},
    }


def by_rules(
    dossier: Dossier,
    precedents: Sequence[Precedent],
    health: Sequence[HealthAssessment],
    note: str,
    desk: Desk,
) -> Investigation:
    """The same answer where no model can be asked: what the rules know, and why it is only that."""
    incident = dossier.incident
    platform = incident.culprit.partition("/")[0]
    return Investigation(
        at=desk.now(),
        timezone=dossier.timezone,
        incident=incident.name,
        title=incident.title,
        severity=incident.severity,
        culprit=incident.culprit,
        culprit_name=incident.culprit_name,
        by="rules",
        note=note,
        rules=tuple(one for one in incident.causes if one.by == "rules"),
        rules_health=tuple(one for one in health if one.scope in ("all", platform)),
        precedents=tuple(precedents),
        dashboard=_dashboard(dossier),
    )
