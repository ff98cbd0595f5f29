"""The verbs that are offered as tools: each answers the same JSON as its command does with --format json.

What has no command of its own is taken from the table of agents' tools. Lists are short: who wants more asks
for the next page. Texts are masked and shortened, because a model reads them.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from pydantic import BaseModel, Field, JsonValue, ValidationError

from dogwatch.agents.data import fit, masked
from dogwatch.agents.tools import TOOLS, Args, Authority, Tool, call
from dogwatch.app import Dogwatch, IncidentFilter, RunFilter
from dogwatch.errors import DogwatchError
from dogwatch.model import IncidentState, Status
from dogwatch.pipelines.draw import as_json

_PAGE = 50
_FROM_TABLE = (
    "read_evidence",
    "similar_incidents",
    "estate_health",
    "list_changes",
    "propose_action",
    "ask_human",
)
_LIVE = tuple(state for state in IncidentState if state.live)


class IncidentsArgs(Args):
    """Which incidents."""

    everything: bool = False
    """Those that are over, too."""
    platform: str | None = Field(default=None, max_length=80)
    """A connector's name: incidents that concern it."""
    hours: float | None = Field(default=None, gt=0, le=24 * 366)
    """Live within so many hours before now; left out: those that are not over."""
    before: int | None = Field(default=None, ge=1)
    """Only those with a smaller number: the next page."""
    limit: int = Field(default=20, ge=1, le=_PAGE)
    """The newest so many."""


class IncidentArgs(Args):
    """One incident."""

    number: int = Field(ge=1)
    """7 for INC-7."""


class RunsArgs(Args):
    """Which runs."""

    platform: str | None = Field(default=None, max_length=80)
    """A connector's name, or its kind."""
    job: str | None = Field(default=None, max_length=200)
    """A part of the job's name, or its whole id."""
    status: tuple[Status, ...] = ()
    """Left out: all."""
    hours: float | None = Field(default=None, gt=0, le=24 * 366)
    """Runs that began within so many hours before now."""
    offset: int = Field(default=0, ge=0, le=2_000)
    """How many to leave out: the next page."""
    limit: int = Field(default=20, ge=1, le=_PAGE)
    """The newest so many."""


class ScheduleArgs(Args):
    """Whose times."""

    job: str | None = Field(default=None, max_length=200)
    """A part of the job's name, its id or its subject; left out: those that are due next."""
    slots: int = Field(default=5, ge=1, le=20)
    """Slots of each kind."""
    limit: int = Field(default=10, ge=1, le=_PAGE)
    """Jobs at most."""


class ExplainArgs(Args):
    """Which finding."""

    fingerprint: str = Field(min_length=4, max_length=64)
    """The fingerprint of a finding, or its beginning."""


class GraphArgs(Args):
    """Which part of the graph."""

    what: str | None = Field(default=None, max_length=200)
    """A pipeline or a job; left out: everything that is joined to something."""


class ActionsArgs(Args):
    """Which actions."""

    everything: bool = False
    """Those that are over, too."""
    incident: int | None = Field(default=None, ge=1)
    """Of this incident only."""


class AuditArgs(Args):
    """Which part of the record."""

    subject: str | None = Field(default=None, max_length=200)
    """INC-7, an action's id; left out: everything."""
    after: int = Field(default=0, ge=0)
    """Events behind the one with this number: the next page."""
    limit: int = Field(default=20, ge=1, le=_PAGE)
    """How many at most."""


class ReviewArgs(Args):
    """Of which time."""

    days: int = Field(default=30, ge=1, le=365)
    """How far back."""


class SearchArgs(Args):
    """What to look for."""

    text: str = Field(min_length=2, max_length=200)
    """A part of a name, a title or a cause; INC-7; the beginning of an id."""


class JobArgs(Args):
    """One job."""

    subject: str = Field(min_length=3, max_length=400)
    """Its connector and its id there, such as airbyte/1f3a: search tells it."""


class AskArgs(Args):
    """A question."""

    question: str = Field(min_length=1, max_length=400)
    """In plain words: why was yesterday's sales late? what is broken? who is hit by INC-7?"""


async def _incidents(app: Dogwatch, args: IncidentsArgs) -> object:
    since = None if args.hours is None else app.desk().now() - timedelta(hours=args.hours)
    states = () if args.everything or since else _LIVE
    wanted = IncidentFilter(
        states=states, platform=args.platform, since=since, before=args.before, limit=args.limit
    )
    return await app.incidents(wanted)


async def _incident(app: Dogwatch, args: IncidentArgs) -> object:
    return await app.incident(args.number)


async def _runs(app: Dogwatch, args: RunsArgs) -> object:
    since = None if args.hours is None else app.desk().now() - timedelta(hours=args.hours)
    wanted = RunFilter(
        platform=args.platform,
        job=args.job,
        status=args.status,
        since=since,
        limit=args.offset + args.limit,
    )
    found = (await app.runs(wanted))[args.offset :]
    return {"format": "dogwatch.runs/1", "runs": [run.model_dump(mode="json") for run in found]}


async def _schedule(app: Dogwatch, args: ScheduleArgs) -> object:
    return await app.schedule(args.job, limit=args.limit, slots=args.slots)


async def _explain(app: Dogwatch, args: ExplainArgs) -> object:
    found = await app.explain(args.fingerprint)
    if not found:
        raise DogwatchError(f"no finding begins with {args.fingerprint!r}", "the tool incident shows them")
    return found[0]


async def _graph(app: Dogwatch, args: GraphArgs) -> object:
    found = await app.graph(args.what)
    return as_json(found.picture, found.warnings, found.heading)


async def _actions(app: Dogwatch, args: ActionsArgs) -> object:
    return await app.actions(everything=args.everything, incident=args.incident)


async def _audit(app: Dogwatch, args: AuditArgs) -> object:
    return await app.audit(args.subject, after=args.after, limit=args.limit)


async def _verify(app: Dogwatch, args: Args) -> object:
    return await app.verify_audit()


async def _channels(app: Dogwatch, args: Args) -> object:
    return await app.notify_status()


async def _review(app: Dogwatch, args: ReviewArgs) -> object:
    return await app.desk().reviewed(args.days)


async def _search(app: Dogwatch, args: SearchArgs) -> object:
    return await app.pages().search(args.text)


async def _job(app: Dogwatch, args: JobArgs) -> object:
    instance, _, job_id = args.subject.partition("/")
    return await app.pages().job(instance, job_id)


async def _logs(app: Dogwatch, args: Args) -> object:
    return await app.pages().logs()


async def _ask(app: Dogwatch, args: AskArgs) -> object:
    return await app.ask(args.question)


@dataclass(frozen=True, slots=True)
class Verb:
    """One tool."""

    name: str
    description: str
    args: type[Args]
    answer: Callable[[Dogwatch, Any], Awaitable[object]] | None
    """None: the table of agents' tools answers."""
    reads: bool = True

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return self.args.model_json_schema()


def _of_table(tool: Tool) -> Verb:
    return Verb(tool.name, tool.description, tool.args, None, tool.authority is Authority.read)


VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("ask", "Answer a question in plain words by rules, with evidence.", AskArgs, _ask),
        Verb("incidents", "Incidents, worst first.", IncidentsArgs, _incidents),
        Verb(
            "incident",
            "One incident: causes, who is hit, findings, evidence, timeline.",
            IncidentArgs,
            _incident,
        ),
        Verb("runs", "Remembered runs, newest first.", RunsArgs, _runs),
        Verb("schedule", "When jobs run next, and what became of their last slots.", ScheduleArgs, _schedule),
        Verb("explain", "The numbers that a finding rests on.", ExplainArgs, _explain),
        Verb("graph", "What depends on what: everything, one pipeline, or one job.", GraphArgs, _graph),
        Verb("actions", "What could be done and what waits for a person's consent.", ActionsArgs, _actions),
        Verb("audit", "The record of everything that was decided or done, in order.", AuditArgs, _audit),
        Verb("verify_audit", "Whether the record is whole: nothing edited or removed.", Args, _verify),
        Verb("channels", "How the channels to people are, and what waits for them.", Args, _channels),
        Verb("review", "Was dogwatch right? Its alerts, causes and actions, judged.", ReviewArgs, _review),
        Verb("search", "Jobs, incidents, actions and findings that a text stands in.", SearchArgs, _search),
        Verb("job", "One job: incidents, what is usual, errors, slots, runs.", JobArgs, _job),
        Verb("logs", "What the logs say that rounds read, new and surging first.", Args, _logs),
        *(_of_table(TOOLS[name]) for name in _FROM_TABLE),
    )
}
"""By name, in the order in which they are listed."""


async def answer(verb: Verb, app: Dogwatch, given: Mapping[str, object], by: str) -> JsonValue:
    """The answer, or ``{"error": …, "hint": …}``. ``by`` is who asks, as ``agent:<name>``."""
    desk = app.desk()
    if verb.answer is None:
        return await call(TOOLS[verb.name], desk, given, by)
    try:
        args = verb.args.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "arguments"
        return {"error": f"{verb.name}: {where}: {masked(first['msg'])}", "hint": "see the tool's schema"}
    try:
        found = await verb.answer(app, args)
    except DogwatchError as error:
        return {"error": masked(error.message, desk.scrub), "hint": masked(error.hint, desk.scrub)}
    told = found.model_dump(mode="json") if isinstance(found, BaseModel) else found
    return fit(cast("JsonValue", told), desk.scrub)
