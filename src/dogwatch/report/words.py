"""The phrases that all renderings share, so that they say the same."""

from datetime import datetime
from zoneinfo import ZoneInfo

from dogwatch.model import ActionState, Finding, Incident, RiskLevel, ScopeKind, Severity, Status, TurnKind
from dogwatch.model.hub import HubView
from dogwatch.model.lineage import LineageView
from dogwatch.model.overview import Overview
from dogwatch.model.report import CheckReport, PlatformView
from dogwatch.model.text import one_line, plural, span

MARKS = {Severity.INFO: "○", Severity.WARNING: "●", Severity.ERROR: "●", Severity.CRITICAL: "●"}
BLIND_MARK = "◐"
WELL_MARK = "○"
_BAD = (Status.failed, Status.timed_out)
_NOTABLE_SKEW = 60.0
"""Seconds by which a platform's clock may differ before it is worth a word."""


def clock(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """``02:04`` today, ``19 Nov 02:04`` else, with the year if it is another one."""
    local, today = moment.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}" if local.year == today.year else f"{local.day} {local:%b %Y %H:%M}"


def age(moment: datetime, now: datetime) -> str:
    """``4 h 26 min ago``; a platform whose clock is ahead may tell a time that is still to come."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(seconds)}"


def since(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """``02:04, 4 h 26 min ago``."""
    return f"{clock(moment, now, zone)}, {age(moment, now)}"


def zone_word(timezone: str) -> str:
    """``Berlin`` for Europe/Berlin."""
    return timezone.rpartition("/")[2].replace("_", " ")


def heading(report: CheckReport) -> list[str]:
    """When, how much, and how long after the last look."""
    at = report.at.astimezone(ZoneInfo(report.timezone))
    jobs = sum(platform.jobs for platform in report.platforms)
    parts = [
        f"{at.day} {at:%b %H:%M} {zone_word(report.timezone)}",
        f"{plural(jobs, 'job')} on {plural(len(report.platforms), 'platform')}",
    ]
    if report.previous_round_at is not None:
        parts.append(f"last round {age(report.previous_round_at, report.at)}")
    return parts


def counts(report: CheckReport) -> list[tuple[str, int, str]]:
    """(mark, number, words) of what is wrong, what is unseen and what is well."""
    well = sum(platform.jobs_as_expected or 0 for platform in report.platforms)
    return [
        ("●", len(told(report)), plural(len(told(report)), "incident")),
        (BLIND_MARK, len(report.blind), f"{plural(len(report.blind), 'platform')} blind"),
        (WELL_MARK, well, f"{plural(well, 'job')} as expected"),
    ]


def told(report: CheckReport) -> list[Incident]:
    """The incidents that somebody should look at; blindness is told by platforms."""
    return [incident for incident in report.incidents if not incident.blind and not incident.muted]


def muted(report: CheckReport) -> list[Incident]:
    """The incidents of which the user wants silence."""
    return [incident for incident in report.incidents if not incident.blind and incident.muted]


def asides(report: CheckReport) -> list[Finding]:
    """Findings that no live incident tells: notes on other jobs, and what a person has resolved and is still
    found."""
    counted = {fingerprint for incident in report.incidents for fingerprint in incident.findings}
    culprits = {incident.culprit for incident in told(report)}
    return [
        finding
        for finding in report.findings
        if finding.fingerprint not in counted
        and finding.rule != "blind"
        and not (finding.severity is Severity.INFO and finding.subject in culprits)
    ]


def is_news(report: CheckReport, incident: Incident) -> bool:
    """Whether an incident was opened, or came back, since the round before."""
    if report.previous_round_at is None:
        return False
    kinds = {turn.kind for turn in report.turns if turn.number == incident.number}
    return bool(kinds & {TurnKind.opened, TurnKind.reopened})


def blindness(platform: PlatformView, now: datetime, zone: ZoneInfo) -> str:
    """Which platform cannot be read, since when and why."""
    when = "" if platform.blind_since is None else f" since {clock(platform.blind_since, now, zone)}"
    return f"{one_line(platform.title, 80)} not readable{when}: {one_line(platform.reason, 400)}"


def unseen(platform: PlatformView, now: datetime, zone: ZoneInfo) -> str:
    """What a blind platform leaves unknown."""
    if platform.read_until is None:
        return "it was never read whole; nothing is known of its jobs"
    return (
        f"nothing after {since(platform.read_until, now, zone)}, is known of its"
        f" {plural(platform.jobs, 'job')}"
    )


def quiet(report: CheckReport) -> list[str]:
    """``Airbyte 12/13`` for each platform; a question mark where nobody can know."""
    return [
        f"{one_line(platform.title, 60)}"
        f" {'?' if platform.jobs_as_expected is None else platform.jobs_as_expected}/{platform.jobs}"
        for platform in report.platforms
    ]


def pipelines(report: CheckReport) -> str:
    """``sales unhealthy (HIGH) · customers, finance healthy``; empty if no pipeline is declared."""
    told = [one for one in report.health if one.kind is ScopeKind.pipeline]
    groups: dict[str, list[str]] = {}
    for one in sorted(told, key=lambda one: (-list(RiskLevel).index(one.risk_level), one.scope)):
        risk = "" if one.risk_level is RiskLevel.LOW else f" ({one.risk_level.value})"
        groups.setdefault(f"{one.overall_health.value}{risk}", []).append(one_line(one.scope, 40))
    return " · ".join(f"{', '.join(names)} {state}" for state, names in groups.items())


def remarks(report: CheckReport) -> list[tuple[str, str]]:
    """(label, sentence) of what is neither wrong nor blind and still good to know."""
    said: list[tuple[str, str]] = []
    for platform in report.platforms:
        title = one_line(platform.title, 60)
        if platform.baseline:
            read = f"{plural(platform.runs_read, 'run')} of {plural(platform.jobs, 'job')}"
            said.append(
                ("learned", f"{title} for the first time: {read}; old failures are history, not news")
            )
        skew = platform.skew_seconds
        if skew is not None and abs(skew) >= _NOTABLE_SKEW:
            said.append(
                ("clock", f"{title} is {span(skew)} {'ahead of' if skew > 0 else 'behind'} this machine")
            )
    if report.hub is not None and report.hub.state in ("behind", "failing"):
        said.append(("hub", hub(report.hub)))
    if report.lineage is not None:
        zone = ZoneInfo(report.timezone)
        said += [("lineage", line) for line in lineage(report.lineage, report.at, zone)]
    return said


def lineage(view: LineageView, now: datetime, zone: ZoneInfo) -> list[str]:
    """What is not as it should be with the OpenLineage server, in sentences."""
    waits = f"{plural(view.waiting, 'run attempt')} {'waits' if view.waiting == 1 else 'wait'}"
    name, lines = one_line(view.place or "OpenLineage", 200), list[str]()
    if not view.place or view.since is not None:
        start = "" if view.since is None else f" since {clock(view.since, now, zone)}"
        lines.append(f"{name} takes nothing{start}: {one_line(view.reason, 300)} · {waits}, nothing is lost")
    elif view.waiting:
        lines.append(f"{name} is behind: {waits}; the next round goes on")
    if view.refused:
        lines.append(f"{name} refused {plural(view.refused, 'event')}: {one_line(view.refusal, 300)}")
    return lines


def hub(view: HubView) -> str:
    """How the copy of the audit trail stands, in a sentence."""
    zone = ZoneInfo(view.timezone)
    waits = "the last round waits"
    if view.waiting:
        waits = f"{plural(view.waiting, 'run attempt')} {'waits' if view.waiting == 1 else 'wait'}"
    if view.state == "none":
        return "no hub is set up: everything is in the store, and nowhere else"
    name = one_line(view.place or view.kind, 200)
    if view.state == "failing":
        start = "" if view.since is None else f" since {clock(view.since, view.at, zone)}"
        wait = (
            f"{waits}, and nothing is lost" if view.place else "nothing is lost: the store holds everything"
        )
        return f"{name} takes nothing{start}: {one_line(view.reason, 300)} · {wait}"
    if view.state == "behind":
        return f"{name} is behind: {waits}; the next round goes on"
    whole = "" if view.whole_at is None else f", confirmed {since(view.whole_at, view.at, zone)}"
    return f"{name} has everything{whole}"


def ran(found: Overview) -> str:
    """How many runs there were in the last 24 hours, and what became of them."""
    bad, skipped = sum(found.runs.get(one, 0) for one in _BAD), found.runs.get(Status.skipped, 0)
    parts = [f"{plural(sum(found.runs.values()) - skipped, 'run')} in 24 h", f"{bad:,} failed"]
    return ", ".join([*parts, *([f"{skipped:,} skipped"] if skipped else [])])


def gaps(report: CheckReport) -> list[str]:
    """What the platforms cannot show, in full."""
    return [
        f"{one_line(platform.title, 60)}: {one_line(caveat, 300)}"
        for platform in report.platforms
        for caveat in platform.caveats
    ]


def gaps_in_short(report: CheckReport, program: str) -> str:
    """How much the platforms cannot show, and where it is told; empty if nothing."""
    number = sum(len(platform.caveats) for platform in report.platforms)
    titles = [one_line(platform.title, 60) for platform in report.platforms if platform.caveats]
    if not number:
        return ""
    return f"{plural(number, 'thing')} that {' and '.join(titles)} cannot show: {program} check --format md"


def next_steps(text: str, program: str = "dogwatch") -> list[str]:
    """What to do, one thing each; ``program`` is how the reader has to call dogwatch."""
    parts = text.replace("; then: ", "  or: ").split("  or: ")
    steps = [one_line(part, 400) for part in parts if part.strip()]
    return [f"{program} {step[9:]}" if step.startswith("dogwatch ") else step for step in steps]


def explain(finding: Finding, program: str = "dogwatch") -> str:
    """The command that shows the numbers behind a finding."""
    return f"{program} explain {finding.fingerprint[:8]}"


def blind_steps(platform: PlatformView, program: str = "dogwatch") -> list[str]:
    """What to do about a platform that cannot be read."""
    return next_steps(f"{platform.hint}; then: dogwatch doctor {platform.instance}", program)


def incident_steps(report: CheckReport, incident: Incident, program: str = "dogwatch") -> list[str]:
    """Where all about it is shown, what helps against its cause, and what its first finding advises."""
    known = {finding.fingerprint: finding for finding in report.findings}
    lead = next((known[key] for key in incident.findings if key in known), None)
    advised = next_steps(lead.next_step, program) if lead else []
    if incident.causes and incident.causes[0].cause_class is not None and lead is not None:
        from dogwatch.causes.advice import next_steps as remedy  # not needed while all is well

        kinds = {view.instance: view.platform for view in report.platforms}
        kind = kinds.get(incident.culprit.partition("/")[0], "")
        remedies = remedy(incident.causes[0], incident.culprit_name, kind, lead.rule)
        advised = [*(step.sentence for step in remedies), *advised]
    waiting = [
        f"{program} actions      {one_line(report.labels.get(one.id, one.verb), 80)} waits for your consent"
        for one in report.actions
        if one.incident == incident.number and one.state is ActionState.waiting
    ]
    return [f"{program} incident show {incident.name}", *waiting, *advised]


def verbatim(step: str, program: str) -> bool:
    """Whether a step is a command or a link, to be copied as it stands."""
    return step.startswith(("http://", "https://", f"{program} "))
