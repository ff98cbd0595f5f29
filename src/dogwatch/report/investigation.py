"""An investigation for people: the rules' result and the agents', side by side. Everything is escaped."""

from collections.abc import Iterable, Iterator

from rich.text import Text

from dogwatch.model import Cause
from dogwatch.model.health import HealthAssessment
from dogwatch.model.investigation import Investigation, Line
from dogwatch.model.precedent import Precedent
from dogwatch.model.text import one_line, plural
from dogwatch.report.lines import hanging, page, wrap
from dogwatch.report.markdown import code, plain

_INDENT = 14


def _because(cause: Cause) -> str:
    named = cause.cause_class.value if cause.cause_class else "no class"
    return f"{cause.claim} ({cause.confidence.value}, {named})"


def _cited(cites: Iterable[str]) -> str:
    return " · ".join(id_[:8] for id_ in cites)


def _like(one: Precedent) -> str:
    helped = [done.verb for done in one.done if done.state == "helped"]
    vain = [done.verb for done in one.done if done.state in ("did_not_help", "made_worse", "failed")]
    said = f"{one.incident}: {one.title} ({', '.join(one.why)})"
    said += f"; helped: {', '.join(helped)}" if helped else ""
    return said + (f"; did not help: {', '.join(vain)}" if vain else "")


def _well(one: HealthAssessment) -> str:
    notify = one.notification_priority.value if one.requires_notification else "nobody"
    return (
        f"{one.scope}: {one.overall_health.value}, risk {one.risk_level.value}, tell {notify}: {one.summary}"
    )


def _used(found: Investigation) -> str:
    used = found.usage
    money = "price not known" if used.usd is None else f"{used.usd:.4f} USD"
    tokens = used.input_tokens + used.output_tokens
    asked = f"{plural(used.requests, 'request')}, {plural(used.tool_calls, 'call')} of tools"
    return f"{asked}, {tokens:,} tokens, {money}, {used.seconds:.1f} s"


def _by_whom(found: Investigation) -> str:
    if found.by == "agents":
        return found.note and f"stopped early: {found.note}"
    return f"by rules alone: {found.note or 'nothing that agents said stands in the evidence'}"


def _summary(found: Investigation) -> list[str]:
    """The agents' words if they stand, else the rules'."""
    if found.report is not None:
        return [line.text for line in found.report.executive_summary]
    first = found.rules[0] if found.rules else None
    return [found.title, *([f"Cause: {_because(first)}"] if first else ["Why is not known."])]


def _said(lines: Iterable[Line]) -> list[str]:
    return [line.text for line in lines]


def _rows(found: Investigation) -> Iterator[tuple[str, str]]:
    """(label, sentence), in the order in which one wants to know."""
    if (whom := _by_whom(found)) != "":
        yield "note", whom
    for text in _summary(found):
        yield "summary", text
    for cause in found.rules[:3]:
        yield "rules say", f"{_because(cause)}  ev {_cited(cause.cites)}"
    fixes = [one.suggested_fix for one in found.analysis.issues]
    for cause, fix in zip(found.causes, fixes, strict=True):
        yield "agents say", f"{_because(cause)}  ev {_cited(cause.cites)}"
        yield "fix", f"{fix} (suggested by an agent)"
    for one in found.disagreements:
        yield "they differ", f"rules: {one.rules} — agents: {one.agents}"
    for item in found.analysis.patterns:
        yield "pattern", f"{item.text}  ev {_cited(item.evidence)}"
    for item in found.analysis.metrics_correlation:
        yield "metrics", f"{item.text}  ev {_cited(item.evidence)}"
    if found.analysis.not_known:
        yield "not known", found.analysis.not_known
    for precedent in found.precedents:
        yield "like", _like(precedent)
    yield from _ends(found)


def _ends(found: Investigation) -> Iterator[tuple[str, str]]:
    for question in found.questions:
        yield "asks you", question
    for id_ in found.proposals:
        yield "proposes", f"{id_}; to decide: dogwatch actions"
    for place in found.told:
        yield "told", place
    if found.dashboard:
        yield "look at", found.dashboard
    for one in found.dropped[:5]:
        yield "dropped", f"{one.agent}, {one.what}: {one.kind}: {one.why}"
    if len(found.dropped) > 5:
        yield "dropped", f"{len(found.dropped) - 5} more; dogwatch audit --on {found.incident}/crew"
    if found.usage.requests:
        yield "used", _used(found)


def terminal(found: Investigation, width: int) -> Text:
    """For a terminal."""
    lines: list[Text] = [
        Text(one_line(f"{found.incident} {found.severity} {found.title}", 400), "bold"),
        Text(),
    ]
    last = ""
    for label, said in _rows(found):
        head = Text.assemble(" ", (label if label != last else "", "bold"))
        lines += hanging(head, wrap(one_line(said, 900), width - _INDENT), _INDENT)
        last = label
    return page(lines)


def markdown(found: Investigation) -> str:
    """The report that engineers and managers get."""
    lines = [f"# {found.incident}: {plain(found.title)}", ""]
    if (whom := _by_whom(found)) != "":
        lines += [f"_{plain(whom)}_", ""]
    lines += ["## Executive summary", "", *(plain(text) for text in _summary(found)), ""]
    lines += ["## Critical issues", "", *_critical(found), ""]
    lines += ["## Action items", "", *_items(found), ""]
    lines += ["## Rules and agents", "", *_both(found), ""]
    if found.health is not None:
        lines += ["## Health", "", f"- agents: {plain(_well(found.health))}"]
        lines += [f"- rules: {plain(_well(one))}" for one in found.rules_health] + [""]
    if found.precedents:
        lines += [
            "## Incidents like this one",
            "",
            *(f"- {plain(_like(one), 600)}" for one in found.precedents),
            "",
        ]
    lines += [
        "## Metrics dashboard",
        "",
        code(found.dashboard) if found.dashboard else "no platform told an address",
        "",
    ]
    told = [plain(place) for place in found.told] or ["nobody was told yet"]
    lines += ["## Notification", "", *(f"- {place}" for place in told), ""]
    if found.dropped:
        lines += ["## Dropped, because the evidence does not hold it", ""]
        lines += [
            f"- {plain(one.agent)}, {plain(one.what)}: {plain(one.kind)}: {plain(one.why)}"
            for one in found.dropped
        ]
    return "\n".join(lines).rstrip() + "\n"


def _critical(found: Investigation) -> list[str]:
    if found.report is not None and found.report.critical_issues:
        return [f"- {plain(text)}" for text in _said(found.report.critical_issues)]
    if found.severity.rank >= 2 and found.rules:
        return [f"- {plain(_because(found.rules[0]))}"]
    return ["none"]


def _items(found: Investigation) -> list[str]:
    said = _said(found.report.action_items) if found.report else []
    said += [one.suggested_fix for one in found.analysis.issues if not said]
    steps = [f"- {plain(text)} (suggested by an agent)" for text in said]
    steps += [f"- answer: {plain(question)}" for question in found.questions]
    steps += [f"- decide about {code(id_)}: {code('dogwatch actions')}" for id_ in found.proposals]
    settle = [cause.settle for cause in found.rules[:1] if cause.settle]
    steps += [f"- {plain(text)}" for text in settle]
    return steps or [f"- {code(f'dogwatch incident show {found.incident}')}"]


def _both(found: Investigation) -> list[str]:
    lines = ["| by | cause | class | confidence | evidence |", "|---|---|---|---|---|"]
    for cause in (*found.rules[:3], *found.causes):
        named = cause.cause_class.value if cause.cause_class else ""
        by = "agents" if cause.by == "agent" else "rules"
        claim = f"{plain(cause.claim)} | {plain(named)} | {cause.confidence.value}"
        lines.append(f"| {by} | {claim} | {_cited(cause.cites)} |")
    for one in found.disagreements:
        lines += ["", f"**They differ.** Rules: {plain(one.rules)} Agents: {plain(one.agents)}"]
    return lines
