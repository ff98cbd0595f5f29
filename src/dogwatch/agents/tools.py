"""The tools of agents: the read verbs with types, bounds and pages, and two ways to ask for more.

The table knows no agent framework and no surface. ``call`` answers in JSON that is masked and shortened
already; whoever shows it to a model puts it into a block (``data.block``). An answer without data says what
was searched, where and when. Nothing here acts: ``propose_action`` writes down a proposal that a person
decides about, ``ask_human`` a question.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, cast

from pydantic import BaseModel, JsonValue, ValidationError

from dogwatch.agents.arguments import (
    PAGE,
    ActionsArgs,
    AskArgs,
    AuditArgs,
    ChangesArgs,
    EvidenceArgs,
    FindingArgs,
    GraphArgs,
    HealthArgs,
    IncidentArgs,
    IncidentsArgs,
    ProposeArgs,
    RunsArgs,
    ScheduleArgs,
    SimilarArgs,
)
from dogwatch.agents.arguments import (
    Args as Args,
)
from dogwatch.agents.counter import Desk as Desk
from dogwatch.agents.data import fit, masked
from dogwatch.errors import DogwatchError
from dogwatch.model import Incident, Run
from dogwatch.model.base import Noun
from dogwatch.model.described import descriptions


class Authority(StrEnum):
    """What a tool may do."""

    read = "read"
    propose = "propose"
    """It writes down a proposal, which a person or nobody carries out."""
    ask = "ask"
    """It writes down a question to a person."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool."""

    name: str
    description: str
    args: type[Args]
    authority: Authority
    answer: Callable[[Desk, Any, str], Awaitable[JsonValue]]
    """(desk, an instance of ``args``, who asks as ``agent:<name>`` or ``user:<name>``) -> the answer."""

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return _schema(self.args)


@lru_cache
def _schema(args: type[Args]) -> dict[str, Any]:
    return args.model_json_schema()


async def call(tool: Tool, desk: Desk, args: Mapping[str, object] | BaseModel, by: str) -> JsonValue:
    """The tool's answer, or ``{"error": …}`` in words that help whoever asked wrongly."""
    try:
        given = args if isinstance(args, tool.args) else tool.args.model_validate(args)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "arguments"
        return {"error": f"{tool.name}: {where}: {masked(first['msg'])}"}
    try:
        return fit(await tool.answer(desk, given, by), desk.scrub)
    except DogwatchError as error:
        return {"error": masked(error.message, desk.scrub), "hint": masked(error.hint, desk.scrub)}


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────


def _answer(
    desk: Desk,
    what: str,
    where: str,
    items: Sequence[object],
    *,
    since: datetime | None = None,
    next_offset: int | None = None,
    more: Mapping[str, object] | None = None,
) -> JsonValue:
    """What was searched, where and when, and what was found."""
    now = desk.now()
    searched: dict[str, object] = {"what": what, "where": where, "until": now.isoformat()}
    if since is not None:
        searched["since"] = since.isoformat()
    answer: dict[str, object] = {"searched": searched, "found": len(items), **(more or {})}
    if next_offset is not None:
        answer["next_offset"] = next_offset
    if not items:
        began = "the beginning" if since is None else since.isoformat()
        answer["no_data"] = f"no {what} in {where}, from {began} to {now.isoformat()}"
    answer["data"] = [one.model_dump(mode="json") if isinstance(one, BaseModel) else one for one in items]
    return cast("JsonValue", answer)


def _page(items: Sequence[Any], offset: int, limit: int) -> tuple[Sequence[Any], int | None]:
    """One page, and where the next one begins if there is one."""
    shown = items[offset : offset + limit]
    return shown, offset + limit if len(items) > offset + limit else None


async def _incidents(desk: Desk, args: IncidentsArgs, by: str) -> JsonValue:
    since = None if args.live else desk.now() - timedelta(days=args.days)
    found = await desk.incidents(
        live=args.live, platform=args.platform, since=since, limit=args.offset + args.limit + 1
    )
    shown, more = _page(found, args.offset, args.limit)
    where = f"the store, {args.platform or 'all platforms'}"
    what = "live incidents" if args.live else "incidents"
    brief = [_brief(one) for one in shown]
    return _answer(desk, what, where, brief, since=since, next_offset=more)


def _brief(incident: Incident) -> dict[str, object]:
    keep = {"state", "severity", "title", "culprit", "culprit_name", "blind", "began_at", "resolved_at"}
    return {"incident": incident.name, "number": incident.number, **_part(incident, keep)}


def _part(noun: Noun, keep: set[str]) -> dict[str, object]:
    return noun.model_dump(mode="json", include=keep)


_FINDING = {"rule", "subject", "severity", "summary", "evidence", "at", "fingerprint"}


async def _incident(desk: Desk, args: IncidentArgs, by: str) -> JsonValue:
    dossier = await desk.incident(args.incident)
    facts = [
        {"id": one.id, **_part(one, {"kind", "source", "subject", "at"})} for one in dossier.evidence[:PAGE]
    ]
    return _answer(
        desk,
        "incident",
        f"the store, {dossier.incident.name}",
        [dossier.incident],
        more={
            "findings": [_part(one, _FINDING) for one in dossier.findings[:PAGE]],
            "evidence": facts,
            "more_evidence": max(0, len(dossier.evidence) - PAGE),
            "timeline": [one.model_dump(mode="json") for one in dossier.timeline[-PAGE:]],
        },
    )


async def _evidence(desk: Desk, args: EvidenceArgs, by: str) -> JsonValue:
    dossier = await desk.incident(args.incident)
    wanted = [
        one
        for one in dossier.evidence
        if (not args.kinds or one.kind in args.kinds) and (not args.ids or one.id in args.ids)
    ]
    shown, more = _page(wanted, args.offset, args.limit)
    kinds = ", ".join(args.kinds) or "all kinds"
    where = f"the evidence of {dossier.incident.name} ({len(dossier.evidence)} facts, {kinds})"
    return _answer(desk, "evidence", where, shown, next_offset=more)


async def _similar(desk: Desk, args: SimilarArgs, by: str) -> JsonValue:
    found = await desk.similar(args.incident, args.limit)
    where = f"past incidents compared with INC-{args.incident} by job, rule, cause and graph"
    return _answer(desk, "similar incidents", where, found)


_LEFT_OUT = {"uid", "parent_uid", "metadata", "observed_at", "updated_at", "queued_at", "kind"}
_RUN = set(Run.model_fields) - _LEFT_OUT


async def _runs(desk: Desk, args: RunsArgs, by: str) -> JsonValue:
    since = desk.now() - timedelta(hours=args.hours)
    found = await desk.runs(
        platform=args.platform,
        job=args.job,
        status=args.status,
        since=since,
        limit=args.offset + args.limit + 1,
    )
    shown, more = _page(found, args.offset, args.limit)
    where = f"the store, {args.platform or 'all platforms'}, {args.job or 'all jobs'}"
    if args.status:
        where += f", {' or '.join(args.status)}"
    return _answer(desk, "runs", where, [_part(one, _RUN) for one in shown], since=since, next_offset=more)


async def _schedule(desk: Desk, args: ScheduleArgs, by: str) -> JsonValue:
    found = await desk.schedule(args.job, args.limit, 5)
    return _answer(
        desk, "jobs", f"the store, {args.job or 'all jobs'}", found.jobs, more={"more": found.more}
    )


async def _finding(desk: Desk, args: FindingArgs, by: str) -> JsonValue:
    found = await desk.explain(args.fingerprint)
    where = f"the store, fingerprints that begin with {args.fingerprint}"
    return _answer(desk, "findings", where, found[:5], more={"more": max(0, len(found) - 5)})


async def _health(desk: Desk, args: HealthArgs, by: str) -> JsonValue:
    assessed, platforms, last = await desk.health()
    where = "the last round" + (f" at {last.isoformat()}" if last else ": there was none yet")
    seen = [one.model_dump(mode="json") for one in platforms]
    return _answer(desk, "health assessments", where, assessed, more={"platforms": seen})


async def _graph(desk: Desk, args: GraphArgs, by: str) -> JsonValue:
    found = dict(await desk.graph(args.what))
    nodes = cast("list[object]", found.pop("nodes"))
    return _answer(desk, "jobs", f"the graph, {args.what or 'all of it'}", nodes, more=found)


async def _changes(desk: Desk, args: ChangesArgs, by: str) -> JsonValue:
    since = desk.now() - timedelta(hours=args.hours)
    found = [
        one
        for one in await desk.changes(since)
        if args.subject is None or any(args.subject in part for part in (one.subject, *one.touches))
    ]
    shown, more = _page(found[::-1], args.offset, args.limit)
    where = f"the store, changes of {args.subject or 'everything'}"
    return _answer(desk, "changes", where, shown, since=since, next_offset=more)


async def _actions(desk: Desk, args: ActionsArgs, by: str) -> JsonValue:
    found = await desk.actions(args.incident)
    labels = dict(zip((one.id for one in found.actions), found.labels, strict=True))
    shown = [{**one.model_dump(mode="json"), "label": labels[one.id]} for one in found.actions[:PAGE]]
    where = "the store, " + (f"INC-{args.incident}" if args.incident else "all incidents")
    return _answer(desk, "actions", where, shown, more={"halted_by": found.halted_by})


async def _audit(desk: Desk, args: AuditArgs, by: str) -> JsonValue:
    found = await desk.audit(args.subject, after=args.after, limit=args.limit)
    where = f"the record of what was decided and done, {args.subject or 'everything'}, after {args.after}"
    last = found.events[-1].seq if len(found.events) == args.limit else None
    keep = {"seq", "at", "actor", "kind", "subject", "detail"}
    shown = [_part(one, keep) for one in found.events]
    return _answer(desk, "events", where, shown, more={"next_after": last} if last else None)


async def _propose(desk: Desk, args: ProposeArgs, by: str) -> JsonValue:
    action = await desk.propose(args.incident, args.verb, args.target, args.reason, args.cites, by)
    keep = {"id", "verb", "target", "target_name", "risk", "state", "why", "expires_at"}
    return _answer(
        desk,
        "proposal",
        f"INC-{args.incident}",
        [_part(action, keep)],
        more={"note": "a person decides; nothing was done"},
    )


async def _ask(desk: Desk, args: AskArgs, by: str) -> JsonValue:
    await desk.ask(args.incident, args.question, by)
    note = "written down for a person; no answer comes within this run, go on with what is known"
    return _answer(desk, "answer", f"INC-{args.incident}", [], more={"note": note})


_R = Authority.read
TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("list_incidents", "Incidents, worst first.", IncidentsArgs, _R, _incidents),
        Tool(
            "show_incident",
            "One incident: causes by rules, who is hit, findings, ids of its evidence, timeline.",
            IncidentArgs,
            _R,
            _incident,
        ),
        Tool(
            "read_evidence",
            "The facts of an incident with their content, by kind or id: runs, log lines, metrics, changes, "
            "alerts, lineage, runbooks. Only their ids may be cited.",
            EvidenceArgs,
            _R,
            _evidence,
        ),
        Tool(
            "similar_incidents",
            "Past incidents that are like one, why they are, and which actions helped or did not.",
            SimilarArgs,
            _R,
            _similar,
        ),
        Tool(
            "list_runs",
            "Remembered runs, newest first, by platform, job, status and time.",
            RunsArgs,
            _R,
            _runs,
        ),
        Tool(
            "show_schedule",
            "When jobs run next and what became of their last slots.",
            ScheduleArgs,
            _R,
            _schedule,
        ),
        Tool(
            "explain_finding",
            "A finding with the numbers and the settings it rests on.",
            FindingArgs,
            _R,
            _finding,
        ),
        Tool(
            "estate_health",
            "How the whole, each platform and each pipeline are, by the last round; what cannot be seen.",
            HealthArgs,
            _R,
            _health,
        ),
        Tool("show_graph", "What depends on what, and where live trouble began.", GraphArgs, _R, _graph),
        Tool(
            "list_changes",
            "Deployments and edits, newest first.",
            ChangesArgs,
            _R,
            _changes,
        ),
        Tool(
            "list_actions",
            "What could be done, waits for consent or is under way.",
            ActionsArgs,
            _R,
            _actions,
        ),
        Tool(
            "read_audit",
            "The record of what was decided and done, in order.",
            AuditArgs,
            _R,
            _audit,
        ),
        Tool(
            "propose_action",
            "Propose one exact thing to do about an incident. A person decides; nothing is done by it.",
            ProposeArgs,
            Authority.propose,
            _propose,
        ),
        Tool(
            "ask_human",
            "Write down a question for a person. Nobody answers within this run.",
            AskArgs,
            Authority.ask,
            _ask,
        ),
    )
}
"""By name, in the order in which they are shown."""


def described(tool: Tool) -> dict[str, str]:
    """What each argument of a tool means."""
    return dict(descriptions(tool.args))
