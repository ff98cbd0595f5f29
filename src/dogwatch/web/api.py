"""The API: the same verbs as JSON, the same values as the command line prints."""

import json
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dogwatch.app import CheckReport, Dossier, IncidentFilter, IncidentList, RunFilter, Timetable
from dogwatch.errors import SettingsError
from dogwatch.model import Action, Incident, IncidentState, Run, Status
from dogwatch.model.actions import ActionList, AuditTrail, AuditVerdict
from dogwatch.model.answer import Answer
from dogwatch.model.channels import ChannelsReport
from dogwatch.model.door import Scope
from dogwatch.model.keeping import StoreView
from dogwatch.model.overview import Overview
from dogwatch.model.pages import JobFile, JobList, LogPage, SearchResult
from dogwatch.model.report import Diagnosis, Explanation
from dogwatch.model.review import Review
from dogwatch.pipelines.draw import as_json
from dogwatch.report import postmortem
from dogwatch.web.errors import Refused
from dogwatch.web.forms import VIA
from dogwatch.web.guard import FORM, guarded, require_host
from dogwatch.web.operations import Operation, Param, read_body, read_query
from dogwatch.web.pages import dossier_of, explained, number_of
from dogwatch.web.site import Ask, Site, body_of, etag_of, unchanged

T = TypeVar("T")
ROOT = "/api/v1"
READ, APPROVE, ADMIN = Scope.read, Scope.approve, Scope.admin
_STATES = tuple(state.value for state in IncidentState)
_LIVE = tuple(state for state in IncidentState if state.live)
Given = Mapping[str, Any]


def told(ask: Ask, value: BaseModel | Any, link: str = "") -> Response:
    """A value as JSON, unless the client has it already; ``link`` is where the next page is."""
    body = value.model_dump_json().encode() if isinstance(value, BaseModel) else json.dumps(value).encode()
    etag = etag_of(body, without="at")
    headers = {"etag": etag, "cache-control": "private, no-cache"}
    if link:
        headers["link"] = f'<{link}>; rel="next"'
    if ask.request.method in ("GET", "HEAD") and unchanged(ask.request, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _next(ask: Ask, cursor: str | int) -> str:
    """The same question from behind a cursor."""
    kept = [(name, value) for name, value in ask.request.query_params.multi_items() if name != "cursor"]
    return f"{ask.request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"


async def _named(answer: Awaitable[T]) -> T:
    """The answer, where something is named in the question. Raises Refused if nothing is called so."""
    try:
        return await answer
    except SettingsError as error:
        raise Refused(404, error.message, error.hint) from None


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────


async def overview(ask: Ask, given: Given) -> Response:
    """The estate at one glance."""
    return told(ask, await ask.app.overview(given["since"] or ask.site.now()))


async def tonight(ask: Ask, given: Given) -> Response:
    """What the first page shows."""
    return told(ask, await ask.app.pages().tonight())


async def incidents(ask: Ask, given: Given) -> Response:
    """A page of incidents, the newest numbers first; within it live ones first."""
    states = tuple(IncidentState(word) for word in given["state"])
    wanted = IncidentFilter(
        states=states or (() if given["all"] or given["since"] else _LIVE),
        platform=given["platform"],
        since=given["since"],
        before=given["cursor"],
        limit=given["limit"],
    )
    found = await _named(ask.app.incidents(wanted))
    numbers = [one.number for one in found.incidents]
    return told(ask, found, _next(ask, min(numbers)) if len(numbers) == given["limit"] else "")


async def incident(ask: Ask, given: Given) -> Response:
    """One incident with all that it rests on."""
    number = number_of(given["incident"])
    await dossier_of(ask, number)
    return told(ask, await ask.app.incident(number))


async def draft(ask: Ask, given: Given) -> Response:
    """The draft of a post-mortem."""
    text = postmortem.draft(await dossier_of(ask, number_of(given["incident"])), "dogwatch")
    return Response(text, media_type="text/markdown")


async def runs(ask: Ask, given: Given) -> Response:
    """Runs, the newest first."""
    wanted = RunFilter(
        platform=given["platform"],
        job=given["job"],
        status=tuple(Status(word) for word in given["status"]),
        since=given["since"],
        limit=given["limit"],
        before=given["cursor"],
    )
    found = await _named(ask.app.runs(wanted))
    link = _next(ask, found[-1].uid) if len(found) == given["limit"] else ""
    listed = [run.model_dump(mode="json") for run in found]
    return told(ask, {"format": "dogwatch.runs/1", "runs": listed}, link)


async def schedule(ask: Ask, given: Given) -> Response:
    """When jobs run, and what became of their slots."""
    return told(ask, await ask.app.schedule(given["job"], limit=given["limit"], slots=given["slots"]))


async def finding(ask: Ask, given: Given) -> Response:
    """The numbers that a finding rests on."""
    return told(
        ask,
        (await explained(ask, given["fingerprint"])).model_copy(
            update={"timezone": ask.app.settings.timezone}
        ),
    )


async def graph(ask: Ask, given: Given) -> Response:
    """What depends on what."""
    chart = await _named(ask.app.graph(given["of"]))
    return told(ask, as_json(chart.picture, chart.warnings, chart.heading))


async def actions(ask: Ask, given: Given) -> Response:
    """What could be done, waits or is under way."""
    number = None if given["incident"] is None else number_of(given["incident"])
    return told(ask, await ask.app.actions(everything=given["all"], incident=number))


async def audit(ask: Ask, given: Given) -> Response:
    """The record, in order."""
    found = await ask.app.audit(given["on"], after=given["cursor"] or given["after"], limit=given["limit"])
    more = len(found.events) == given["limit"]
    return told(ask, found, _next(ask, found.events[-1].seq) if more else "")


async def verified(ask: Ask, given: Given) -> Response:
    """Whether the record is as it was written."""
    return told(ask, await ask.app.verify_audit())


async def channels(ask: Ask, given: Given) -> Response:
    """How channels are."""
    return told(ask, await ask.app.notify_status())


async def jobs(ask: Ask, given: Given) -> Response:
    """A page of jobs."""
    after = given["cursor"] or ""
    look = ask.app.pages().jobs(given["platform"], given["text"] or "", after, given["limit"])
    found = await _named(look)
    return told(ask, found, _next(ask, found.next_after) if found.next_after else "")


async def job(ask: Ask, given: Given) -> Response:
    """One job in full."""
    found = await _named(ask.app.pages().job(given["instance"], given["job_id"], given["cursor"]))
    last = found.runs[-1] if len(found.runs) >= 50 else None
    return told(ask, found, _next(ask, last.uid) if last else "")


async def logs(ask: Ask, given: Given) -> Response:
    """What the logs say."""
    return told(ask, await ask.app.pages().logs())


async def search(ask: Ask, given: Given) -> Response:
    """Whatever has to do with a text."""
    return told(ask, await ask.app.pages().search(given["q"]))


async def answered(ask: Ask, given: Given) -> Response:
    """A question in plain words, answered by rules."""
    return told(ask, await ask.app.ask(given["question"]))


async def review(ask: Ask, given: Given) -> Response:
    """Was dogwatch right?"""
    return told(ask, await ask.app.desk().reviewed(given["days"]))


async def doctor(ask: Ask, given: Given) -> Response:
    """Ask the platforms whether they let us in."""
    found, kept = await ask.app.doctor(given["platform"]), await ask.app.keeper().state()
    connectors = [one.model_dump(mode="json") for one in found]
    store = kept.model_dump(mode="json")
    return told(ask, {"format": "dogwatch.doctor/1", "store": store, "connectors": connectors})


# ── changing ──────────────────────────────────────────────────────────────────────────────────────────────


async def check(ask: Ask, given: Given) -> Response:
    """One round over all platforms."""
    return told(ask, await ask.app.check())


async def decide(ask: Ask, given: Given) -> Response:
    """A person's decision on an incident."""
    number, by, app = number_of(given["incident"]), ask.caller.actor, ask.app
    await dossier_of(ask, number)
    why = given.get("why") or ""
    match given["verb"]:
        case "ack":
            done = await app.acknowledge(number, by)
        case "mute":
            done = await app.mute(number, by, given["until"], why)
        case "unmute":
            done = await app.unmute(number, by)
        case "resolve":
            done = await app.resolve(number, by, why)
        case "reopen":
            done = await app.reopen(number, by, why)
        case _:
            done = await app.note(number, by, given["text"])
    return told(ask, done)


async def consent(ask: Ask, given: Given) -> Response:
    """A person's decision on one exact action."""
    yes = given["verb"] == "approve"
    known = await ask.app.actions(everything=True)
    if all(one.id != given["action"] for one in known.actions):
        raise Refused(404, "there is no such action", "dogwatch actions --all")
    done = await ask.app.consent(
        given["action"], ask.caller.name, yes=yes, via=VIA.replace("page", "API"), digest=given["digest"]
    )
    return told(ask, done)


async def halt(ask: Ask, given: Given) -> Response:
    """Stop everything, or let it go on."""
    await ask.app.halt(ask.caller.name, off=given["off"])
    return told(ask, {"halted": not given["off"]})


# ── the table ─────────────────────────────────────────────────────────────────────────────────────────────

_INCIDENT = Param("incident", "text", "INC-7 or 7.", pattern="(?:INC-)?[0-9]{1,9}", longest=13)
_ACTION = Param("action", "text", "The whole id.", pattern="[0-9a-f]{10}-[0-9]{1,9}", longest=20)
_LIMIT = Param("limit", "number", "At most so many.", least=1, most=500, preset=50)
_SINCE = Param("since", "moment", "At or after this.")
_PLATFORM = Param("platform", "text", "A connector's name.")
_KIND = Param("platform", "text", "A connector's name, or its kind.")
_CURSOR = Param("cursor", "text", "From behind this: taken from the Link header of the page before.")
_RUN_CURSOR = Param("cursor", "text", _CURSOR.told, pattern="[0-9a-f-]{36}", longest=36)
_NUMBER_CURSOR = Param("cursor", "number", _CURSOR.told, least=0)
_WHY = Param("why", "text", "The reason, kept with the incident.", longest=200)
_DIGEST = Param(
    "digest", "text", "Decide only if the action still has this digest.", pattern="[0-9a-f]{16}", longest=16
)
_ALL = Param("all", "flag", "Those that are over too.", preset=False)
_RUNS: Mapping[str, Any] = {
    "type": "object",
    "required": ["format", "runs"],
    "properties": {"format": {"const": "dogwatch.runs/1"}, "runs": {"type": "array", "items": Run}},
}
_GRAPH: Mapping[str, Any] = {
    "type": "object",
    "required": ["format", "heading", "nodes", "edges", "pipelines", "cycles", "warnings"],
    "properties": {
        "format": {"const": "dogwatch.graph/1"},
        "heading": {"type": "string"},
        "nodes": {"type": "array", "items": {"type": "object", "required": ["subject", "name", "state"]}},
        "edges": {"type": "array", "items": {"type": "object", "required": ["upstream", "downstream"]}},
        "warnings": {"type": "array", "items": {"type": "string"}},
    },
}
_DOCTOR: Mapping[str, Any] = {
    "type": "object",
    "required": ["format", "store", "connectors"],
    "properties": {
        "format": {"const": "dogwatch.doctor/1"},
        "store": StoreView,
        "connectors": {"type": "array", "items": Diagnosis},
    },
}
_HALTED: Mapping[str, Any] = {
    "type": "object",
    "required": ["halted"],
    "properties": {"halted": {"type": "boolean"}},
}


def _deciding(verb: str, said: str, *body: Param) -> Operation:
    async def answer(ask: Ask, given: Given) -> Response:
        return await decide(ask, {**given, "verb": verb})

    path = f"/incidents/{{incident}}/{verb}"
    return Operation(
        f"{verb}_incident", "POST", path, said, APPROVE, answer, Incident, (_INCIDENT,), body, (404, 409)
    )


def _consenting(verb: str, said: str) -> Operation:
    async def answer(ask: Ask, given: Given) -> Response:
        return await consent(ask, {**given, "verb": verb})

    path = f"/actions/{{action}}/{verb}"
    return Operation(
        f"{verb}_action", "POST", path, said, APPROVE, answer, Action, (_ACTION,), (_DIGEST,), (404, 409, 502)
    )


def _get(
    name: str, path: str, said: str, answer: Any, gives: Any, *takes: Param, scope: Scope = READ, no: Any = ()
) -> Operation:
    return Operation(name, "GET", path, said, scope, answer, gives, takes, (), no)


OPERATIONS: tuple[Operation, ...] = (
    _get("overview", "/overview", "At one glance, as `dogwatch report`.", overview, Overview, _SINCE),
    _get("tonight", "/tonight", "What the first page shows.", tonight, Overview),
    _get(
        "incidents", "/incidents", "Incidents, as `dogwatch incidents`.", incidents, IncidentList,
        Param("state", "words", "May be given several times.", words=_STATES), _ALL, _PLATFORM, _SINCE,
        _LIMIT, _NUMBER_CURSOR, no=(404,),
    ),
    _get(
        "incident", "/incidents/{incident}", "One incident, as `dogwatch incident show`.", incident, Dossier,
        _INCIDENT, no=(404,),
    ),
    _get(
        "postmortem", "/incidents/{incident}/postmortem", "The draft of a post-mortem.", draft,
        "text/markdown", _INCIDENT, no=(404,),
    ),
    _deciding("ack", "Take it on."),
    _deciding("mute", "Tell nobody of it.", Param("until", "moment", "Left out: until it is over."), _WHY),
    _deciding("unmute", "Tell people again."),
    _deciding("resolve", "Say that it is over.", _WHY),
    _deciding("reopen", "Say that it is not over.", _WHY),
    _deciding(
        "note", "Keep what you know.", Param("text", "text", "Your words.", longest=4_000, required=True)
    ),
    _get(
        "runs", "/runs", "Runs, as `dogwatch runs`.", runs, _RUNS, _KIND,
        Param("job", "text", "A part of the job's name, or its whole id."),
        Param("status", "words", "May be given several times.", words=tuple(one.value for one in Status)),
        _SINCE, _LIMIT, _RUN_CURSOR, no=(404,),
    ),
    _get(
        "schedule", "/schedule", "Slots, as `dogwatch schedule`.", schedule, Timetable,
        Param("job", "text", "An id, a subject, or a part of a name."), _LIMIT,
        Param("slots", "number", "Slots of each kind and job.", least=1, most=200, preset=10),
    ),
    _get(
        "jobs", "/jobs", "Jobs by subject.", jobs, JobList, _PLATFORM,
        Param("text", "text", "In the name or id."), _LIMIT, _CURSOR, no=(404,),
    ),
    _get(
        "job", "/jobs/{instance}/{job_id}", "One job in full.", job, JobFile,
        Param("instance", "text", "The connector's name."), Param("job_id", "text", "The platform's own id."),
        _RUN_CURSOR, no=(404,),
    ),
    _get(
        "finding", "/findings/{fingerprint}", "A finding, as `dogwatch explain`.", finding, Explanation,
        Param("fingerprint", "text", "Its beginning.", pattern="[0-9a-f]{6,16}", longest=16), no=(404,),
    ),
    _get(
        "graph", "/graph", "What depends on what, as `dogwatch graph`.", graph, _GRAPH,
        Param("of", "text", "A pipeline or a job."), no=(404,),
    ),
    _get("logs", "/logs", "What the logs say, new and surging first.", logs, LogPage),
    _get(
        "actions", "/actions", "Actions, as `dogwatch actions`.", actions, ActionList, _ALL,
        Param("incident", "text", _INCIDENT.told, pattern=_INCIDENT.pattern, longest=13),
    ),
    _consenting("approve", "Consent to one exact action; it is done at once."),
    _consenting("reject", "Say no to an action."),
    Operation(
        "halt", "POST", "/halt", "Stop every action, or let them go on.", ADMIN, halt, _HALTED, (),
        (Param("off", "flag", "Let them go on.", preset=False),),
    ),
    _get(
        "audit", "/audit", "The record, as `dogwatch audit`.", audit, AuditTrail,
        Param("on", "text", "A subject."), Param("after", "number", "From behind this event.", preset=0),
        Param("limit", "number", "At most so many.", least=1, most=1_000, preset=100), _NUMBER_CURSOR,
    ),
    _get("verify", "/audit/verify", "Whether the record is whole.", verified, AuditVerdict),
    _get("channels", "/channels", "Channels, as `dogwatch notify status`.", channels, ChannelsReport),
    _get(
        "ask", "/ask", "A question in plain words, as `dogwatch ask --rules`.", answered, Answer,
        Param("question", "text", "Why was yesterday's sales late?", longest=400, required=True),
    ),
    _get(
        "review", "/review", "Was dogwatch right, as `dogwatch review`.", review, Review,
        Param("days", "number", "How far back.", least=1, most=365, preset=30),
    ),
    _get(
        "search", "/search", "Jobs, incidents, actions, findings.", search, SearchResult,
        Param("q", "text", "What to look for.", longest=200, required=True),
    ),
    _get(
        "doctor", "/doctor", "Ask platforms whether they let us in, as `dogwatch doctor`.", doctor, _DOCTOR,
        Param("platform", "words", "Left out: all."), scope=ADMIN,
    ),
    Operation("check", "POST", "/check", "One round, as `dogwatch check`.", ADMIN, check, CheckReport),
)  # fmt: skip


def routes(site: Site) -> list[BaseRoute]:
    """All of them, and the document that describes them."""
    found: list[BaseRoute] = []
    for operation in OPERATIONS:
        path = operation.path.replace("{job_id}", "{job_id:path}")
        endpoint = guarded(site, operation.scope, _handler(operation))
        found.append(Route(ROOT + path, endpoint, methods=[operation.method], name=operation.name))
    return [*found, Route(f"{ROOT}/openapi.json", _document(site))]


def _handler(operation: Operation) -> Any:
    async def handle(ask: Ask) -> Response:
        given = read_query(operation, ask)
        if operation.method == "POST":
            given |= read_body(operation, await _json(ask))
        return await operation.answer(ask, given)

    return handle


async def _json(ask: Ask) -> Any:
    """The body of a change. A browser's was read with its form: then its fields are the body."""
    if ask.form:
        return dict(ask.form)
    sent = ask.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = b"" if sent == FORM else await body_of(ask.request)
    if not body:
        return {}
    if sent != "application/json":
        raise Refused(415, "the body is not JSON", "content-type: application/json")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON") from None


def _document(site: Site) -> Any:
    async def document(request: Any) -> Response:
        """What this API takes and gives; told to everybody, as it says nothing of anybody."""
        from dogwatch.web.openapi import document as made

        require_host(request, site)
        return JSONResponse(made(), headers={"cache-control": "public, max-age=300"})

    return document
