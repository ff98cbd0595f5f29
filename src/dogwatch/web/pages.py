"""The pages: what each asks of the verbs. Reading only; what changes something is in ``forms``."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from pydantic import SecretStr
from starlette.responses import Response

from dogwatch import __version__
from dogwatch.app import IncidentFilter
from dogwatch.errors import IncidentError, SettingsError
from dogwatch.lookup.graph import Chart
from dogwatch.manual import chapters
from dogwatch.model import Evidence, IncidentState
from dogwatch.model.door import Scope
from dogwatch.model.dossier import Dossier
from dogwatch.model.pages import LogLine
from dogwatch.model.signal import COMPONENT
from dogwatch.model.text import one_line
from dogwatch.report import explain, postmortem
from dogwatch.report.incident import next_steps
from dogwatch.report.verdict import verdict
from dogwatch.web import manual
from dogwatch.web.errors import Refused
from dogwatch.web.site import Ask
from dogwatch.web.views import chart_of, charted, drawn, page, surveyed

_PAGE = 50
_LINES = 60
_SAID = 12
_EVENTS = 50
_VERIFIED = 5_000
"""Events that are verified with every look; of more, if somebody asks."""
_LIVE = tuple(state for state in IncidentState if state.live)


async def tonight(ask: Ask) -> Response:
    """Is anything wrong, what is the cause, who is hit, what can I do."""
    found = await ask.site.kept("tonight", ask.app.pages().tonight)
    found = await ask.app.pages().as_of_now(found)
    found = found.model_copy(update={"timezone": ask.timezone})
    actions = await ask.app.actions()
    channels = await ask.app.notify_status()
    return page(
        ask,
        "tonight.html.j2",
        found=found,
        verdict=verdict(found),
        actions=actions.actions,
        labels=dict(zip((one.id for one in actions.actions), actions.labels, strict=True)),
        halted=actions.halted_by,
        channels=channels.channels,
        connectors=list(ask.app.settings.connectors),
    )


async def incidents(ask: Ask) -> Response:
    """A list of them."""
    show = "all" if ask.query.get("show") == "all" else "live"
    before = ask.query.get("before", "")
    wanted = IncidentFilter(
        states=() if show == "all" else _LIVE,
        before=int(before) if before.isdecimal() and len(before) < 10 else None,
        limit=_PAGE,
    )
    found = await ask.app.incidents(wanted)
    numbers = [one.number for one in found.incidents]
    older = min(numbers) if len(numbers) == _PAGE else 0
    return page(ask, "incidents.html.j2", found=found, show=show, older=older)


def number_of(text: str) -> int:
    """7 for INC-7 or 7. Raises Refused."""
    digits = text.upper().removeprefix("INC-")
    if not digits.isdecimal() or not digits.isascii() or len(digits) > 9:
        raise Refused(404, f"there is no incident {one_line(text, 40)}", "dogwatch incidents --all")
    return int(digits)


async def dossier_of(ask: Ask, number: int) -> Dossier:
    """One incident. Raises Refused if there is none."""
    try:
        told = await ask.app.incident(number)
    except IncidentError as error:
        raise Refused(404, error.message, "dogwatch incidents --all") from None
    return told.model_copy(update={"timezone": ask.timezone})


async def incident(ask: Ask) -> Response:
    """One incident in full."""
    number = number_of(ask.path("incident"))
    told = await dossier_of(ask, number)
    actions = await ask.app.actions(everything=True, incident=number)
    known = await surveyed(ask)
    similar = await ask.site.kept(
        f"similar {number}",
        lambda: ask.app.pages().alike(known, number),
        by=f"{told.incident.version} {(await ask.app.tick()).round // 10}",
    )
    cited, rest = _evidence(told)
    return page(
        ask,
        "incident.html.j2",
        told=told,
        steps=_steps(told, here=ask.caller.may(Scope.approve) and bool(ask.caller.csrf)),
        actions=actions,
        similar=similar,
        graph=drawn(await chart_of(ask, told.incident.culprit)),
        cited=cited,
        rest=rest,
    )


_DONE_HERE = ("dogwatch incident ack ", "dogwatch incident postmortem ", "dogwatch actions ")


def _steps(told: Dossier, *, here: bool) -> list[tuple[str, str]]:
    """(what to do, where a page for it is). What can be done by a button ``here`` is left out."""
    found: list[tuple[str, str]] = []
    for step in next_steps(told, "dogwatch"):
        finding = step.removeprefix("dogwatch explain ")
        if finding != step:
            found.append(("The numbers behind it", f"/findings/{finding}"))
        elif not (here and step.startswith(_DONE_HERE)):
            found.append((step, ""))
    return found


def _evidence(told: Dossier) -> tuple[list[Evidence], list[Evidence]]:
    """What it rests on now, causes first; and what else it ever cited."""
    known = {item.id: item for item in told.evidence}
    ids = [*told.incident.cites, *(id_ for finding in told.findings for id_ in finding.evidence)]
    first = [known[id_] for id_ in dict.fromkeys(ids) if id_ in known]
    return first[:12], [*first[12:], *(item for item in told.evidence if item.id not in set(ids))]


async def postmortem_page(ask: Ask) -> Response:
    """The draft of a post-mortem."""
    told = await dossier_of(ask, number_of(ask.path("incident")))
    text = postmortem.draft(told, "dogwatch")
    return page(ask, "postmortem.html.j2", called=told.incident.name, text=text)


async def jobs(ask: Ask) -> Response:
    """All jobs, a page of them."""
    on = ask.query.get("on", "")[:200]
    try:
        found = await ask.app.pages().jobs(on or None, "", ask.query.get("after", "")[:500], 100)
    except SettingsError as error:
        raise Refused(404, error.message, error.hint) from None
    trouble = () if "after" in ask.query else await ask.app.pages().in_trouble(on or None)
    blind = {view.instance: view.blind_since for view in found.platforms if view.blind_since}
    return page(ask, "jobs.html.j2", found=found, on=on, trouble=trouble[:_PAGE], blind=blind)


async def job(ask: Ask) -> Response:
    """One job."""
    instance, job_id = ask.path("instance"), ask.path("job_id")
    if f"{instance}/" == COMPONENT:
        return await component(ask, job_id)
    cursor = ask.query.get("before", "")[:36] or None
    try:
        told = await ask.site.kept(
            f"job {instance}/{job_id} {cursor}", lambda: ask.app.pages().job(instance, job_id, cursor)
        )
    except SettingsError as error:
        raise Refused(404, error.message, error.hint) from None
    older = told.runs[-1].uid if len(told.runs) >= _PAGE else ""
    chart = None if cursor else await chart_of(ask, told.job.subject)
    names = {told.job.name, told.job.job_id, *_components_beside(chart, told.job.subject)}
    lines: Sequence[LogLine] = () if cursor else await _said_by(ask, told.job.subject, names)
    return page(ask, "job.html.j2", told=told, older=older, graph=drawn(chart), lines=lines[:_SAID])


async def component(ask: Ask, name: str) -> Response:
    """What is no job, but writes logs or is measured. Raises Refused if nothing is known of it."""
    subject = f"{COMPONENT}{name}"
    chart = await chart_of(ask, subject)
    found = await ask.app.pages().concerning(subject)
    lines = await _said_by(ask, subject, {name})
    if chart is None and not found and not lines:
        raise Refused(404, f"no component is called {one_line(name, 80)}", "dogwatch graph")
    return page(
        ask, "component.html.j2", called=name, incidents=found, lines=lines[:_LINES], graph=drawn(chart)
    )


def _components_beside(chart: Chart | None, subject: str) -> set[str]:
    """The names of components that feed a job or are fed by it."""
    if chart is None:
        return set()
    graph = chart.picture.graph
    ends = [edge.upstream for edge in graph.upstream(subject, suggested=False)]
    ends += [edge.downstream for edge in graph.downstream(subject, suggested=False)]
    return {end.removeprefix(COMPONENT) for end in ends if end.startswith(COMPONENT)}


async def _said_by(ask: Ask, subject: str, names: Set[str]) -> Sequence[LogLine]:
    """What the logs know of components that are called so, new and surging first; kept with a subject."""
    looks = ask.app.pages()
    pulse = f"{await looks.log_pulse()} {sorted(names)}"
    return (await ask.site.kept(f"said {subject}", lambda: looks.logs(names), by=pulse)).lines


async def pipelines(ask: Ask) -> Response:
    """What is declared, how it is, and what depends on what."""
    what = ask.query.get("of", "")[:300] or None
    try:
        chart = await charted(ask, what)
    except SettingsError as error:
        raise Refused(404, error.message, error.hint) from None
    health, _, _ = await ask.app.desk().health()
    return page(
        ask,
        "pipelines.html.j2",
        what=what,
        members=list(chart.picture.graph.pipelines.values()),
        health={one.scope: one for one in health if one.kind.value == "pipeline"},
        heading=chart.heading,
        warnings=chart.warnings,
        graph=drawn(chart),
    )


async def logs(ask: Ask) -> Response:
    """What the logs say."""
    words = ask.query.get("q", "")[:200]
    looks = ask.app.pages()
    found = await ask.site.kept("logs", looks.logs, by=f"logs {await looks.log_pulse()}")
    chosen = [line for line in found.lines if _says(line, words)]
    more = max(0, len(chosen) - _LINES)
    return page(ask, "logs.html.j2", found=found, lines=chosen[:_LINES], more=more, q=words)


def _says(line: LogLine, words: str) -> bool:
    """Whether all words stand in a kind of message, in a line of it, or in who says it."""
    said = f"{line.template} {line.component} {line.instance} {line.sample}".casefold()
    return all(word in said for word in words.casefold().split())


async def actions(ask: Ask) -> Response:
    """What waits, what was done, and the record."""
    found = await ask.app.actions(everything=True)
    last = (await ask.app.tick()).event
    until, verify = ask.query.get("until", ""), last <= _VERIFIED or "verify" in ask.query
    end = min(int(until), last) if until.isdecimal() and len(until) < 12 else last
    after = max(0, end - _EVENTS)
    trail = await ask.app.audit(None, after=after, limit=end - after) if end else None
    return page(
        ask,
        "actions.html.j2",
        found=found,
        trail=trail or {"events": ()},
        earlier=after or None,
        whole=await ask.site.kept("verified", ask.app.verify_audit) if verify else None,
    )


async def settings(ask: Ask) -> Response:
    """What is configured and reachable. Secrets are not even put into the page's values."""
    own = ask.app.settings
    _, views, _ = await ask.app.desk().health()
    tokens = await ask.site.keeper.tokens() if ask.caller.may(Scope.admin) else None
    return page(
        ask,
        "settings.html.j2",
        settings=own,
        configured=own.timezone,
        shown={name: _shown(config.settings) for name, config in own.connectors.items()},
        views={view.instance: view for view in views},
        channels=await ask.app.notify_status(),
        store=one_line(own.store, 200),
        version=__version__,
        tokens=None if tokens is None else tokens.tokens,
    )


def _shown(config: Any) -> list[tuple[str, str]]:
    """What a connector's settings say, where somebody set them; of a secret only that it is set."""
    values: Mapping[str, Any] = dict(config)
    said: list[tuple[str, str]] = []
    for key in sorted(config.model_fields_set):
        value = values.get(key)
        if isinstance(value, SecretStr):
            said.append((key, "set"))
        elif isinstance(value, (str, int, float, bool)) and "://" not in str(value):
            said.append((key, one_line(str(value), 80)))
        elif isinstance(value, str):
            said.append((key, one_line(_without_login(value), 120)))
    return said


def _without_login(url: str) -> str:
    """An address without a name and password in it, and without a query, which may hold a key."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"


async def search(ask: Ask) -> Response:
    """Whatever has to do with some words."""
    words = ask.query.get("q", "")[:200]
    return page(ask, "search.html.j2", q=words, found=await ask.app.pages().search(words))


async def finding(ask: Ask) -> Response:
    """The numbers that a finding rests on."""
    told = await explained(ask, ask.path("fingerprint"))
    return page(ask, "finding.html.j2", told=told, facts=explain.facts(told), numbers=explain.numbers(told))


async def explained(ask: Ask, prefix: str) -> Any:
    """The finding whose fingerprint begins so; the latest if there are several. Raises Refused."""
    known = len(prefix) >= 6 and all(char in "0123456789abcdef" for char in prefix)
    found = await ask.app.explain(prefix) if known else []
    if not found:
        raise Refused(404, "no finding begins so", "dogwatch check names them")
    return found[0].model_copy(update={"timezone": ask.timezone})


async def help_page(ask: Ask) -> Response:
    """Keys and signs."""
    return page(ask, "help.html.j2", manual="web.md" in chapters())


async def manual_page(ask: Ask) -> Response:
    """One page of the documentation."""
    called, known = ask.path("chapter"), chapters()
    if called not in known:  # no path is ever made of what was asked
        raise Refused(404, "there is no such page of the documentation", "/help")
    chapter = manual.rendered(called, known[called].read_text(encoding="utf-8"), known)
    return page(ask, "manual.html.j2", chapter=chapter, others=manual.titles(known))
