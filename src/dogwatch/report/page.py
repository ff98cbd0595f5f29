"""The report as one self-contained HTML file: verdict first, then incidents, then pictures. No script.

Everything that platforms said passes the template's escaping; links are kept only if they are http(s).
"""

from collections.abc import Mapping
from functools import cache, partial
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from dogwatch.model import Evidence
from dogwatch.model.dossier import Dossier
from dogwatch.model.overview import Overview
from dogwatch.model.text import bounded, one_line, plural, span
from dogwatch.report import strips, words
from dogwatch.report.incident import actor, facts, mark, next_steps, standing
from dogwatch.report.verdict import verdict

_QUOTED = 2_000
_VALUE = 800
"""Characters of one value, so that a long name does not push away what went wrong."""


def page(found: Overview, program: str = "dogwatch") -> str:
    """The whole file."""
    zone = ZoneInfo(found.timezone)
    template = _templates().get_template("report.html.j2")
    return template.render(
        found=found,
        verdict=verdict(found),
        ran=words.ran,
        program=program,
        zone=zone,
        strips=strips,
        words=words,
        one_line=one_line,
        plural=plural,
        span=span,
        mark=mark,
        standing=standing,
        facts=partial(_facts, zone=zone),
        steps=partial(next_steps, program=program),
        actor=actor,
        safe_link=safe_link,
        quoted=quoted,
        cited=cited,
    )


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("dogwatch.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _facts(told: Dossier, zone: ZoneInfo) -> list[tuple[str, str]]:
    known: Mapping[str, Evidence] = {item.id: item for item in told.evidence}
    return facts(told.incident, known, zone, told.at, news=False)


def cited(told: Dossier) -> list[Evidence]:
    """The evidence that its causes cite, first cited first; of the rest the newest few."""
    known = {item.id: item for item in told.evidence}
    ids = dict.fromkeys(id_ for cause in told.incident.causes for id_ in cause.cites)
    first = [known[id_] for id_ in ids if id_ in known]
    return first or list(told.evidence)[-3:]


def quoted(item: Evidence) -> str:
    """What the evidence says, as lines of ``key: value``; long text is shortened and says so."""
    lines = [
        f"{key}: {bounded(value, _VALUE)}" if isinstance(value, str) else f"{key}: {value!r}"
        for key, value in item.content.items()
        if value not in (None, "", [], {})
    ]
    kept = "".join(char if char.isprintable() or char == "\n" else " " for char in "\n".join(lines))
    return bounded(kept, _QUOTED)


def safe_link(url: str | None) -> str:
    """The URL if a browser may follow it, else nothing."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""
