"""Answers to questions by rules: what is remembered, put into sentences that cite what they rest on.

Nothing of it asks a platform, and nothing needs a language model.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dogwatch import connectors
from dogwatch.causes.advice import next_steps
from dogwatch.desk import Desk
from dogwatch.detect.changes import change_evidence
from dogwatch.detect.facts import run_evidence
from dogwatch.errors import SettingsError
from dogwatch.lookup.names import catalogue
from dogwatch.model import ActionState, Harm, Incident, Run
from dogwatch.model.actions import ActionList
from dogwatch.model.answer import Answer
from dogwatch.model.dossier import Dossier
from dogwatch.model.report import JobTimes, Sight
from dogwatch.model.text import one_line, plural, span
from dogwatch.questions.draft import Draft, has_part, incidents_named, is_late, items
from dogwatch.questions.intents import EXAMPLES, Intent, intent_of, window_of
from dogwatch.questions.names import Found, Named, find
from dogwatch.report import words
from dogwatch.report.message import HARM, because, due_at
from dogwatch.settings import Settings
from dogwatch.settings.pipelines import pipelines_of
from dogwatch.store import Store, StoreThread

_SHOWN = 5
_STALE = timedelta(hours=2)
_FOLLOWS = ("and ", "it ", "that ", "this ", "what about", "then ", "them ")


async def answer(
    settings: Settings,
    store: Store,
    thread: StoreThread,
    desk: Desk,
    question: str,
    before: Sequence[str] = (),
) -> Answer:
    """The answer to a question about one configuration; ``before`` is what the question before was about."""
    titles = {name: connectors.load(one.kind).title for name, one in settings.connectors.items()}
    pipelines = [one.name for one in pipelines_of(settings, settings.timezone)]
    known = await thread(catalogue, store, titles, pipelines)
    return await Answering(desk, known, settings.timezone).answer(question, before)


class Answering:
    """Answers questions about one configuration."""

    def __init__(self, desk: Desk, known: Sequence[Named], timezone: str) -> None:
        self._desk = desk
        self._known = known
        self._timezone = timezone

    async def answer(self, question: str, before: Sequence[str] = ()) -> Answer:
        """The answer; ``before`` are the subjects of the question before, for ``and who is hit?``."""
        now, zone = self._desk.now(), ZoneInfo(self._timezone)
        draft = Draft(now, zone, window_of(question, zone, now))
        found = find(question, self._known)
        if not found.things and before and question.lower().lstrip().startswith(_FOLLOWS):
            found = Found(
                tuple(one for one in self._known if one.subject in before) or incidents_named(before)
            )
        intent = intent_of(question, about=bool(found.things))
        _, _, seen_at = await self._desk.health()
        if intent is not None and intent is not Intent.help:
            if seen_at is not None:  # before the first look even "nothing is wrong" would be a claim
                await self._tell(intent, found, draft)
            self._remark(found, seen_at, draft)
        understood = intent is not None and intent is not Intent.help
        return Answer(
            at=now,
            timezone=self._timezone,
            question=one_line(question, 400),
            understood=intent.value if intent else "",
            about=tuple(one.subject for one in found.things),
            statements=tuple(draft.said),
            evidence=tuple(draft.evidence.values()),
            next=tuple(draft.next),
            suggestions=() if understood else self.examples(),
            seen_at=seen_at,
        )

    def examples(self) -> tuple[str, ...]:
        """A question of each sort, about something that there is."""
        rank = {"pipeline": 0, "job": 0, "component": 1, "platform": 2}
        order = sorted(self._known, key=lambda one: (rank[one.kind], -one.concern, one.name))
        name = one_line(order[0].name, 40) if order else "a job"
        return tuple(text.format(name=name) for text in EXAMPLES.values())

    def _remark(self, found: Found, seen_at: datetime | None, draft: Draft) -> None:
        """How old the knowledge is, and how a name was understood."""
        if seen_at is None:
            draft.say("Nothing has been looked at yet: no round was made.")
            draft.then("dogwatch check")
        elif draft.now - seen_at > _STALE:
            draft.say(f"The platforms were last looked at {draft.at(seen_at)}.")
            draft.then("dogwatch check")
        if not found.exact and found.things:
            names = ", ".join(one_line(one.name, 60) for one in found.things)
            draft.say(f"I took that to mean {names}.")

    async def _tell(self, intent: Intent, found: Found, draft: Draft) -> None:
        match intent:
            case Intent.broken | Intent.late:
                await self._broken(draft, late=intent is Intent.late)
            case Intent.coming:
                await self._coming(draft)
            case Intent.changed:
                await self._changed(found, draft)
            case Intent.night:
                await self._night(draft)
            case Intent.actions | Intent.decided:
                await self._actions(found, draft, decided=intent is Intent.decided)
            case Intent.blind:
                await self._blind(draft)
            case _:
                await self._each(intent, found, draft)

    async def _each(self, intent: Intent, found: Found, draft: Draft) -> None:
        for thing in found.things[:_SHOWN]:
            await self._about(intent, thing, draft)
        if not found.things:
            await self._any(intent, draft)

    async def _about(self, intent: Intent, thing: Named, draft: Draft) -> None:
        match intent:
            case Intent.why:
                await self._why(thing, draft)
            case Intent.again:
                await self._again(await self._concerning(thing, draft), thing, draft)
            case Intent.hit:
                await self._hit(thing, draft)
            case Intent.ran:
                await self._ran(thing, draft)
            case Intent.when:
                await self._when(thing, draft)
            case _:
                await self._depends(thing, draft)

    async def _any(self, intent: Intent, draft: Draft) -> None:
        """Questions that name nothing but mean what is wrong now."""
        if intent is Intent.again:
            found = await self._desk.incidents(live=True, platform=None, since=None, limit=20)
            live = [one for one in found if not one.blind][:1]
            thing = Named("incident", live[0].name, live[0].name) if live else Named("incident", "", "it")
            await self._again(live, thing, draft)
        else:
            draft.say("Of which job, pipeline or incident?")

    # ── what is wrong ───────────────────────────────────────────────────────────────────────────────────────

    async def _broken(self, draft: Draft, *, late: bool) -> None:
        live = await self._desk.incidents(live=True, platform=None, since=None, limit=50)
        seen = [one for one in live if not one.blind]
        dossiers = [await self._desk.incident(one.number) for one in seen[:20]]
        if late:
            dossiers = [one for one in dossiers if is_late(one)]
        if not dossiers:
            draft.say("Nothing is late or slow." if late else "Nothing is wrong: no incident is open.")
        elif not late:
            draft.say(f"{plural(len(seen), 'incident')} {'is' if len(seen) == 1 else 'are'} open.")
        for one in dossiers[:_SHOWN]:
            self._incident(one, draft, short=True)
        if len(dossiers) > _SHOWN:
            draft.say(f"{len(dossiers) - _SHOWN} more: dogwatch incidents")
        for unseen in live:
            if unseen.blind:
                draft.say(f"{one_line(unseen.title, 200)}. Nothing here covers it.")
                draft.then("dogwatch doctor")

    def _incident(self, dossier: Dossier, draft: Draft, *, short: bool = False) -> None:
        """What is wrong, why, and by when it hurts."""
        incident = dossier.incident
        known = {one.id: one for one in dossier.evidence}
        lead = [known[id_] for one in dossier.findings[:1] for id_ in one.evidence if id_ in known]
        over = f" (over since {draft.at(incident.resolved_at)})" if incident.resolved_at else ""
        draft.say(f"{incident.name}: {incident.title}{over}.", lead[:2])
        if incident.causes:
            cause = incident.causes[0]
            draft.say(f"Cause, {because(cause)}.", [known[id_] for id_ in cause.cites if id_ in known][:3])
            if cause.settle and not short:
                draft.say(f"This would settle it: {cause.settle}")
        else:
            draft.say("Why cannot be told: nothing that was read says so.")
        if not short:
            for deadline in incident.deadlines:
                draft.say(f"Deadline {due_at(deadline, draft.zone, draft.now)}.")
        draft.then(f"dogwatch incident show {incident.name}")

    async def _concerning(self, thing: Named, draft: Draft) -> list[Incident]:
        """Incidents in which it has a part: live ones, and those of the time that is asked about."""
        if thing.kind == "incident":
            return [(await self._desk.incident(int(thing.subject[4:]))).incident]
        live = await self._desk.incidents(live=True, platform=None, since=None, limit=200)
        since = draft.window.since if draft.window else draft.now - timedelta(days=2)
        past = await self._desk.incidents(live=False, platform=None, since=since, limit=200)
        found = {one.number: one for one in [*live, *past] if has_part(one, thing)}
        if draft.window is not None:
            until = draft.window.until
            found = {number: one for number, one in found.items() if one.began_at <= until}
        return list(found.values())[:3]

    async def _why(self, thing: Named, draft: Draft) -> None:
        concerning = await self._concerning(thing, draft)
        for one in concerning:
            dossier = await self._desk.incident(one.number)
            known = {item.id: item for item in dossier.evidence}
            for hit in one.affected:
                if hit.subject == thing.subject:
                    shown = [known[id_] for id_ in hit.cites if id_ in known][:2]
                    part = f"{one_line(hit.name, 80)} {HARM[hit.harm]} because of {one.culprit_name}."
                    draft.say(part, shown)
            if thing.kind == "pipeline":
                hit_there = [two for two in one.affected if two.harm is not Harm.threatened][:_SHOWN]
                names = ", ".join(f"{one_line(two.name, 60)} {HARM[two.harm]}" for two in hit_there)
                draft.say(f"In {thing.name}: {names or one.culprit_name}.")
            self._incident(dossier, draft)
        if not concerning:
            when = f" {draft.window.words}" if draft.window else ""
            draft.say(f"Nothing is known to have been wrong with {thing.name}{when}.")
            await self._ran(thing, draft)

    async def _hit(self, thing: Named, draft: Draft) -> None:
        concerning = await self._concerning(thing, draft)
        for one in concerning:
            dossier = await self._desk.incident(one.number)
            known = {item.id: item for item in dossier.evidence}
            draft.say(f"{one.name}: {one.title}.")
            for hit in one.affected[:10]:
                shown = [known[id_] for id_ in hit.cites if id_ in known][:1]
                owner = f", owner {hit.owner}" if hit.owner else ""
                draft.say(f"{one_line(hit.name, 80)}: {HARM[hit.harm]}{owner}.", shown)
            if not one.affected:
                draft.say("Nobody else is hit.")
            for deadline in one.deadlines:
                draft.say(f"Deadline {due_at(deadline, draft.zone, draft.now)}.")
            draft.then(f"dogwatch incident show {one.name}")
        if not concerning and thing.kind != "incident":
            below = await self._neighbours(thing, downstream=True)
            names = ", ".join(below[:10]) + (f" and {len(below) - 10} more" if len(below) > 10 else "")
            draft.say(f"Nobody is hit by {thing.name} now. What depends on it: {names or 'nothing known'}.")

    async def _again(self, incidents: Sequence[Incident], thing: Named, draft: Draft) -> None:
        if not incidents:
            draft.say(f"No incident of {thing.name} is known that others could be compared with.")
        for one in incidents[:1]:
            like = await self._desk.similar(one.number, 3)
            draft.say(f"{one.name}: {one.title}.")
            if not like:
                draft.say("No past incident is like it.")
            for other in like:
                done = ", ".join(f"{step.verb} {step.state.replace('_', ' ')}" for step in other.done)
                draft.say(
                    f"{other.incident}, {draft.at(other.began_at)}, is like it ({', '.join(other.why)}):"
                    f" {one_line(other.title, 160)}. Then: {done or 'nothing was done by dogwatch'}."
                )
                draft.then(f"dogwatch incident show {other.incident}")

    # ── runs and times ──────────────────────────────────────────────────────────────────────────────────────

    async def _jobs_of(self, thing: Named) -> list[Named]:
        """The jobs that a name stands for: itself, a pipeline's members, the culprit of an incident."""
        if thing.kind == "job":
            return [thing]
        if thing.kind == "incident":
            incident = (await self._desk.incident(int(thing.subject[4:]))).incident
            return [one for one in self._known if one.subject == incident.culprit]
        if thing.kind == "platform":
            own = [
                one
                for one in self._known
                if one.kind == "job" and one.subject.startswith(f"{thing.subject}/")
            ]
            return sorted(own, key=lambda one: -one.concern)[:_SHOWN]
        if thing.kind == "pipeline":
            graph = await self._desk.graph(thing.subject)
            members = {str(node["subject"]) for node in items(graph.get("nodes"))}
            return [one for one in self._known if one.subject in members]
        return []

    async def _ran(self, thing: Named, draft: Draft) -> None:
        """What became of its last run, or of those in the time asked about; what is wrong with it."""
        jobs = await self._jobs_of(thing)
        for job in jobs[:_SHOWN]:
            instance, _, job_id = job.subject.partition("/")
            since = draft.window.since if draft.window else draft.now - timedelta(days=31)
            runs = [
                one
                for one in await self._desk.runs(
                    platform=instance, job=job_id, status=(), since=since, limit=20
                )
                if one.job_id == job_id and (draft.window is None or one.began_at <= draft.window.until)
            ]
            self._runs(job, runs, draft)
        if len(jobs) > _SHOWN:
            draft.say(f"{len(jobs) - _SHOWN} more jobs: dogwatch runs")
        live = await self._desk.incidents(live=True, platform=None, since=None, limit=200)
        concerned = [one for one in live if has_part(one, thing)]
        for one in concerned[:2]:
            draft.say(f"{one.name} is open: {one.title}.")
            draft.then(f"dogwatch incident show {one.name}")
        if not jobs and not concerned:
            draft.say(f"Nothing is wrong with {thing.name} as far as is known.")

    def _runs(self, job: Named, runs: Sequence[Run], draft: Draft) -> None:
        name = one_line(job.name, 80)
        when = f" {draft.window.words}" if draft.window else " within a month"
        if not runs:
            draft.say(f"{name}: no run is known{when}.")
            return
        last = runs[0]
        took = f", took {span(last.duration.total_seconds())}" if last.duration else ""
        said = f": {one_line(last.error_message, 200)}" if last.error_message else ""
        began = draft.at(last.began_at)
        draft.say(f"{name} last ran {began}: {last.status.value}{took}{said}.", [run_evidence(last)])
        bad = [one for one in runs[1:] if one.status.bad]
        if bad and draft.window:
            draft.say(f"Of {plural(len(runs), 'run')}{when} {len(bad)} before that went wrong.")

    async def _times(self, job: Named) -> JobTimes | None:
        instance, _, job_id = job.subject.partition("/")
        found = await self._desk.schedule(job_id, 50, 3)
        return next((one for one in found.jobs if (one.instance, one.job_id) == (instance, job_id)), None)

    async def _when(self, thing: Named, draft: Draft) -> None:
        jobs = await self._jobs_of(thing)
        for job in jobs[:_SHOWN]:
            told = await self._times(job)
            if told is None:
                draft.say(f"When {job.name} runs is not known.")
            else:
                self._next_slot(told, draft)
        if not jobs:
            draft.say(f"{thing.name} is no job; it does not run by a schedule.")

    def _next_slot(self, job: JobTimes, draft: Draft) -> None:
        name = one_line(job.name, 80)
        if job.state.value != "active":
            why = f" ({one_line(job.state_reason, 120)})" if job.state_reason else ""
            draft.say(f"{name} is {job.state.value}{why}: nothing is due.")
        elif job.coming:
            slot = job.coming[0]
            sure = "" if slot.confidence >= 1 else f", by habit ({slot.confidence:.0%} sure)"
            draft.say(f"{name} is due {draft.at(slot.scheduled_for)}{sure}; it runs {job.told}.")
        else:
            draft.say(f"{name} runs {job.told}; no next time is known.")

    async def _coming(self, draft: Draft) -> None:
        found = await self._desk.schedule(None, 8, 1)
        for job in found.jobs:
            if job.coming:
                draft.say(f"{draft.at(job.coming[0].scheduled_for)}: {one_line(job.name, 80)}.")
        if not draft.said:
            draft.say("No job is known to be due.")
        draft.then("dogwatch schedule")

    # ── what was done and changed ───────────────────────────────────────────────────────────────────────────

    async def _changed(self, found: Found, draft: Draft) -> None:
        since = draft.window.since if draft.window else draft.now - timedelta(days=1)
        until = draft.window.until if draft.window else draft.now
        subjects = {one.subject for one in found.things}
        changes = [
            one
            for one in await self._desk.changes(since)
            if one.at <= until and (not subjects or subjects & {one.subject, *one.touches})
        ]
        when = draft.window.words if draft.window else "in the last 24 hours"
        about = f" of {', '.join(one.name for one in found.things)}" if found.things else ""
        if not changes:
            draft.say(f"No change{about} is known {when}.")
        for one in changes[::-1][:10]:
            by = f", by {one_line(one.author, 40)}" if one.author else ""
            draft.say(f"{draft.at(one.at)}: {one_line(one.summary, 200)}{by}.", [change_evidence(one)])
        if len(changes) > 10:
            draft.say(f"{len(changes) - 10} more.")

    async def _night(self, draft: Draft) -> None:
        """What happened and what was done since then."""
        since = draft.window.since if draft.window else draft.now - timedelta(hours=16)
        incidents = [
            one
            for one in await self._desk.incidents(live=False, platform=None, since=since, limit=100)
            if one.opened_at >= since or (one.resolved_at or since) > since
        ]
        opened = [one for one in incidents if one.opened_at >= since]
        over = [one for one in incidents if one.resolved_at is not None and one.resolved_at >= since]
        when = draft.window.words if draft.window else f"since {words.clock(since, draft.now, draft.zone)}"
        draft.say(
            f"{when[:1].upper()}{when[1:]}: {plural(len(opened), 'incident')} opened, {len(over)} ended."
        )
        for one in opened[:_SHOWN]:
            self._incident(await self._desk.incident(one.number), draft, short=True)
        found = await self._desk.actions(None)
        done = [one for one in found.actions if (one.began_at or one.proposed_at) >= since]
        self._acts(found, [one.id for one in done if one.began_at is not None], draft)
        waiting = [one.id for one in found.actions if one.state is ActionState.waiting]
        if not any(one.began_at for one in done):
            draft.say("dogwatch did nothing to any platform.")
        if waiting:
            draft.say(f"{plural(len(waiting), 'action')} wait{'s' if len(waiting) == 1 else ''} for you.")
            draft.then("dogwatch actions")

    def _acts(self, found: ActionList, wanted: Sequence[str], draft: Draft) -> None:
        for one, label in zip(found.actions, found.labels, strict=True):
            if one.id in wanted[:10]:
                when = one.began_at or one.decided_at or one.proposed_at
                by = f", decided by {one.decided_by}" if one.decided_by else ""
                why = f": {one_line(one.why, 160)}" if one.why else ""
                state = one.state.value.replace("_", " ")
                draft.say(
                    f"{one_line(label, 120)} for INC-{one.incident}: {state}{why} ({draft.at(when)}{by})."
                )

    async def _actions(self, found: Found, draft: Draft, *, decided: bool) -> None:
        told = await self._desk.actions(None)
        numbers: set[int] = set()
        for thing in found.things:
            numbers |= {one.number for one in await self._concerning(thing, draft)}
        chosen = [one for one in told.actions if not numbers or one.incident in numbers]
        if decided:
            since = draft.window.since if draft.window else draft.now - timedelta(days=7)
            chosen = [one for one in chosen if one.decided_at is not None and one.decided_at >= since]
        else:
            chosen = [one for one in chosen if one.state is ActionState.waiting]
        self._acts(told, [one.id for one in chosen], draft)
        if not chosen:
            draft.say("Nothing was decided." if decided else "Nothing waits for a person.")
        for number in sorted(numbers):
            self._advice(await self._desk.incident(number), draft)
        if told.halted_by:
            draft.say(f"Every action is stopped by {told.halted_by}.")
            draft.then("dogwatch halt --off")
        draft.then(*(f"dogwatch actions approve {one.id}" for one in chosen if not decided))
        draft.then("dogwatch audit" if decided else "dogwatch actions")

    def _advice(self, dossier: Dossier, draft: Draft) -> None:
        """What helps against the cause, and how to see all of it."""
        incident = dossier.incident
        known = {one.id: one for one in dossier.evidence}
        if incident.causes and incident.causes[0].cause_class is not None and dossier.findings:
            kind = incident.culprit.partition("/")[0]
            cause = incident.causes[0]
            for step in next_steps(cause, incident.culprit_name, kind, dossier.findings[0].rule):
                draft.say(step.sentence, [known[id_] for id_ in cause.cites if id_ in known][:1])
        draft.then(f"dogwatch incident show {incident.name}")

    # ── what is seen ────────────────────────────────────────────────────────────────────────────────────────

    async def _blind(self, draft: Draft) -> None:
        _, platforms, _ = await self._desk.health()
        blind = [one for one in platforms if one.sight is Sight.blind]
        for one in blind:
            draft.say(
                f"{words.blindness(one, draft.now, draft.zone)}; {words.unseen(one, draft.now, draft.zone)}."
            )
            draft.then(f"dogwatch doctor {one.instance}")
        if platforms and not blind:
            draft.say(f"All {plural(len(platforms), 'platform')} could be read.")
        for one in platforms:
            for caveat in one.caveats[:3]:
                draft.say(f"{one_line(one.title, 60)}: {one_line(caveat, 300)}")

    async def _depends(self, thing: Named, draft: Draft) -> None:
        above = await self._neighbours(thing, downstream=False)
        names = ", ".join(above[:10]) + (f" and {len(above) - 10} more" if len(above) > 10 else "")
        draft.say(f"{thing.name} depends on {names or 'nothing that is known'}.")
        draft.then(f"dogwatch graph {thing.name!r}" if " " in thing.name else f"dogwatch graph {thing.name}")

    async def _neighbours(self, thing: Named, *, downstream: bool) -> list[str]:
        """Names of all that lies beyond it in the graph, as far as edges are certain."""
        try:
            graph = await self._desk.graph(thing.subject)
        except SettingsError:
            return []
        edges = [
            (str(edge["upstream"]), str(edge["downstream"]))
            for edge in items(graph.get("edges"))
            if edge.get("certain")
        ]
        names = {str(node["subject"]): str(node["name"]) for node in items(graph.get("nodes"))}
        reached, ahead = {thing.subject}, [thing.subject]
        while ahead:
            here = ahead.pop()
            for first, second in edges:
                start, end = (first, second) if downstream else (second, first)
                if start == here and end not in reached:
                    reached.add(end)
                    ahead.append(end)
        return [one_line(names.get(one, one), 60) for one in sorted(reached - {thing.subject})]
