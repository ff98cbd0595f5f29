"""Templates, and what all of them know. Whatever is put into one is escaped, unless it was made by our own
drawing code, which escapes itself."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib.resources import files
from typing import Any, cast
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from dogwatch.errors import SettingsError
from dogwatch.lookup.graph import Chart, Survey
from dogwatch.model import Evidence
from dogwatch.model.door import Scope
from dogwatch.model.dossier import Dossier
from dogwatch.model.text import one_line, plural, span
from dogwatch.pipelines.draw import outline
from dogwatch.pipelines.svg import STYLE, svg
from dogwatch.report import plot, strips, words
from dogwatch.report.explain import fact
from dogwatch.report.incident import actor, facts, mark, standing
from dogwatch.report.message import HARM, because
from dogwatch.report.page import quoted, safe_link
from dogwatch.web.errors import Problem
from dogwatch.web.site import Ask, etag_of, unchanged

_LARGEST_GRAPH = 120
"""Nodes that a page draws."""


@cache
def templates() -> Environment:
    """The environment of all pages."""
    made = Environment(
        loader=PackageLoader("dogwatch.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    known: dict[str, Any] = {
        "strips": strips,
        "words": words,
        "one_line": one_line,
        "plural": plural,
        "span": span,
        "amount": plot.amount,
        "mark": mark,
        "standing": standing,
        "actor": actor,
        "safe_link": safe_link,
        "quoted": quoted,
        "job_link": job_link,
        "spark": spark,
        "asset": asset,
        "facts": told_facts,
        "because": told_cause,
        "sentence": sentence,
        "place": place,
        "once": once,
        "harm_words": HARM,
    }
    cast("dict[str, Any]", made.globals).update(known)
    return made


def job_link(subject: str) -> str:
    """Where a job's page is; of a platform the list of its jobs."""
    instance, slash, job_id = subject.partition("/")
    if instance.startswith("component:") or ":" in instance:
        return ""
    if not slash:
        return f"/jobs?on={quote(instance, safe='')}"
    return f"/jobs/{quote(instance, safe='')}/{quote(job_id, safe='')}"


def page(ask: Ask, name: str, status: int = 200, **values: Any) -> Response:
    """A page, unless the browser has it already."""
    zone = ask.zone
    text = (
        templates()
        .get_template(name)
        .render(
            ask=ask,
            who=ask.caller,
            may_approve=ask.caller.may(Scope.approve),
            may_admin=ask.caller.may(Scope.admin),
            now=ask.site.now(),
            zone=zone,
            timezone=ask.timezone,
            path=ask.request.url.path,
            clock=partial(words.clock, now=ask.site.now(), zone=zone),
            saying=partial(fact, now=ask.site.now(), zone=zone),
            since=partial(words.since, now=ask.site.now(), zone=zone),
            **values,
        )
    )
    if status != 200:
        return HTMLResponse(text, status)
    etag = etag_of(text.encode())
    headers = {"etag": etag, "cache-control": "private, no-cache"}
    if unchanged(ask.request, etag):
        return Response(status_code=304, headers=headers)
    return HTMLResponse(text, headers=headers)


def problem_page(problem: Problem) -> Response:
    """What went wrong, for people. Knows nothing of who asks."""
    text = templates().get_template("problem.html.j2").render(problem=problem)
    return HTMLResponse(text, problem.status, problem.headers)


def told_facts(told: Dossier, zone: Any) -> list[tuple[str, str]]:
    """Start, state, harm; the cause is told with links."""
    known: Mapping[str, Evidence] = {item.id: item for item in told.evidence}
    return [fact for fact in facts(told.incident, known, zone, told.at, news=False) if fact[0] != "cause"]


def told_cause(told: Dossier) -> tuple[str, Sequence[str]]:
    """Why, and the ids of the evidence for it."""
    known = {item.id for item in told.evidence}
    cause = next((one for one in told.incident.causes if any(id_ in known for id_ in one.cites)), None)
    if cause is None:
        return "can't tell: nothing that was read says why", ()
    return because(cause), [id_ for id_ in cause.cites if id_ in known]


def once(label: str) -> str:
    """What a button does, and that it does it one time."""
    said = one_line(label, 80)
    return said if said.endswith(" once") else f"{said} once"


def place(url: str) -> str:
    """Whose address it is."""
    return one_line(urlsplit(url).hostname or "", 120)


def sentence(summary: str) -> str:
    """What is said of everything, begun as a sentence."""
    said = one_line(summary.removeprefix("everything: "), 400)
    return f"{said[:1].upper()}{said[1:]}."


def drawn(chart: Chart | None) -> tuple[Markup, Sequence[Any]]:
    """A graph as a picture and as an indented list, for screens on which the picture cannot be read."""
    if chart is None or not chart.picture.graph.nodes:
        return Markup(""), ()
    lines = outline(chart.picture)
    if len(chart.picture.graph.nodes) > _LARGEST_GRAPH:
        return Markup(""), lines
    return Markup(svg(chart.picture, chart.heading, styled=False, link=job_link)), lines  # noqa: S704  # it escapes


async def chart_of(ask: Ask, what: str | None) -> Chart | None:
    """The graph around something; None if nothing is joined to it or it is not known."""
    try:
        return await charted(ask, what)
    except SettingsError:
        return None


async def charted(ask: Ask, what: str | None) -> Chart:
    """The same. Raises SettingsError."""
    known = await surveyed(ask)
    return await ask.site.kept(f"graph {what}", lambda: ask.app.pages().chart(known, what))


async def surveyed(ask: Ask) -> Survey:
    """The graph of everything, made once for as long as no job changes."""
    looks = ask.app.pages()
    return await ask.site.kept("survey", looks.survey, by=await looks.shape())


def spark(values: Sequence[int]) -> Markup:
    """Counts over time as small bars, in one path."""
    most = max(values, default=0)
    if not most:
        return Markup("")
    high = [max(1.5, 17 * value / most) if value else 0 for value in values]
    path = "".join(f"M{at} 18v-{tall:.1f}h.8V18z" for at, tall in enumerate(high) if tall)
    told = f"{sum(values):,} lines in {len(values)} hours, at most {most:,}"
    drawn = Markup(
        '<svg class="spark" width="100%" height="18" viewBox="0 0 {} 18" preserveAspectRatio="none"'
        ' role="img" aria-label="{}"><path d="{}"/></svg>'
    )
    return drawn.format(len(values), told, path)


@cache
def assets() -> Mapping[str, tuple[bytes, str]]:
    """The files that pages need, by name: content and type. Nothing else can be asked for."""
    base = files("dogwatch.report").joinpath("templates", "style.css.j2").read_text(encoding="utf-8")
    own = files("dogwatch.web").joinpath("static")
    style = "\n".join((base, STYLE, own.joinpath("dogwatch.css").read_text(encoding="utf-8")))
    script = own.joinpath("dogwatch.js").read_bytes()
    icon = own.joinpath("icon.svg").read_bytes()
    return {
        "dogwatch.css": (style.encode(), "text/css"),
        "dogwatch.js": (script, "text/javascript"),
        "icon.svg": (icon, "image/svg+xml"),
    }


@cache
def asset(name: str) -> str:
    """The path of a file, which changes with its content, so that browsers may keep it."""
    return f"/static/{name}?{hashlib.sha256(assets()[name][0]).hexdigest()[:10]}"
