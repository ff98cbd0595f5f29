"""What could be done about an incident: exact actions, of verbs that the platform offers. Pure.

Proposing costs nothing and decides nothing. The verb follows from the trouble, the reason from the cause: a
run that failed for a passing reason is worth another try as it is; for any other reason the cause has to be
mended first, and the reason says so. What only a person can mend is proposed as a step of its own, before
the run that comes after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import JsonValue

from dogwatch.heal.policy import Policy, named
from dogwatch.model import (
    Action,
    Cause,
    CauseClass,
    Confidence,
    Finding,
    Harm,
    Incident,
    IncidentState,
    Job,
    Risk,
    Run,
    Status,
)
from dogwatch.model.signal import COMPONENT
from dogwatch.wire.acting import Proof, Verb

MANUAL = "manual"
LOCAL = "local"
WEBHOOK = "webhook"
"""Connector names of commands and webhooks of the policy file."""

PASSING = frozenset(
    {
        CauseClass.network_timeout,
        CauseClass.dependency_outage,
        CauseClass.platform_fault,
        CauseClass.quota_rate_limit,
        CauseClass.concurrency_lock,
    }
)
"""Causes that often are over before anybody looks."""
_BY_HAND: Mapping[CauseClass, str] = {
    CauseClass.auth_permission: "renew or grant the credential",
    CauseClass.bad_data: "mend or set aside the bad data",
    CauseClass.code_bug: "mend the code",
    CauseClass.config_error: "mend the setting",
    CauseClass.schema_drift: "align the schema",
}
"""Causes that stay however often the job is run, and what a person does about them. A login that is tried
again with what was refused may even be locked."""
_FIRST: Mapping[CauseClass, str] = {
    **{known: f"{step} first" for known, step in _BY_HAND.items()},
    CauseClass.resource_exhaustion: "it may run out of the same resource again",
    CauseClass.upstream_missing: "see that its input is there first",
}
_AGAIN = ("repair", "rerun")
_VERBS: Mapping[str, tuple[str, ...]] = {
    "failed": _AGAIN,
    "flapping": _AGAIN,
    "cancelled": _AGAIN,
    "skipped": ("rerun",),
    "missed": ("rerun",),
    "late": ("rerun",),
    "empty": ("rerun",),
    "few_rows": ("rerun",),
    "few_bytes": ("rerun",),
    "slow": ("cancel",),
    "duplicated": ("cancel",),
    "paused": ("resume",),
}
"""Rule of the finding -> verbs that may mend it, the gentlest first."""
_MENDED = frozenset({Harm.failed, Harm.skipped, Harm.missed, Harm.stale})
_MOST = 10
"""Proposals for one incident at one time."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What proposals are made from."""

    findings: Sequence[Finding]
    """The incident's open ones, the culprit's first."""
    jobs: Mapping[str, Job]
    """By subject: the culprit and what is affected."""
    runs: Mapping[str, Sequence[Run]]
    """By subject, the newest attempts, oldest first."""
    verbs: Mapping[str, Mapping[str, Verb]] = field(default_factory=dict[str, Mapping[str, Verb]])
    """By instance, what it offers."""
    vain: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """By (verb, subject): how often it did not help against the same class of cause in the last 30 days."""


def propose(incident: Incident, outlook: Outlook, policy: Policy, now: datetime) -> list[Action]:
    """Actions that may mend an incident, at most ten; ids and states follow from the store and the policy.

    While the culprit is unwell they are about the culprit; once it is well, about what it broke.
    """
    if not incident.state.live:
        return []
    cause = incident.causes[0] if incident.causes else None
    expires = now + timedelta(minutes=policy.consent_minutes)
    if incident.state is IncidentState.mitigated:
        hit = [one.subject for one in incident.affected if one.harm in _MENDED]
        drafts = [_after(subject, incident, outlook) for subject in hit]
    else:
        aid = _first_aid(incident, cause, outlook)
        first = _by_hand(incident, cause, aid, outlook)  # written later: lists begin with the newest
        drafts = [aid, first, *_configured(incident, cause, policy)]
    cites = cause.cites if cause else ()
    return [draft.action(cites, incident, now, expires) for draft in drafts if draft is not None][:_MOST]


@dataclass(frozen=True, slots=True)
class _Draft:
    connector: str
    verb: str
    target: str
    name: str
    risk: Risk
    reason: str
    args: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    def action(self, cites: tuple[str, ...], incident: Incident, at: datetime, until: datetime) -> Action:
        """What is proposed of an incident, from ``at`` until ``until``; it has no number yet."""
        return Action(
            id="",
            connector=self.connector,
            verb=self.verb,
            target=self.target,
            target_name=self.name,
            args=self.args,
            risk=self.risk,
            reason=self.reason,
            cites=cites,
            incident=incident.number,
            proposed_by="rules",
            proposed_at=at,
            expires_at=until,
        )


def _first_aid(incident: Incident, cause: Cause | None, outlook: Outlook) -> _Draft | None:
    """What may mend the culprit: a verb its platform offers, else a step for a person.

    Nothing while what it offers makes no sense just now, such as another run while one is going.
    """
    subject = incident.culprit
    own = [finding for finding in outlook.findings if finding.subject == subject]
    if not own:
        return _for_all(incident, cause, outlook)
    for finding in own:
        draft = _offered(subject, _VERBS.get(finding.rule, ()), outlook, finding.at)
        if draft is not None:
            return replace(draft, reason=_reason(draft, finding, cause, outlook))
    if any(_has(subject, _VERBS.get(finding.rule, ()), outlook) for finding in own):
        return None
    first, instance, job = own[0], subject.partition("/")[0], outlook.jobs.get(subject)
    step = _mending(incident, cause) if set(_AGAIN) & set(_VERBS.get(first.rule, ())) else ""
    step = step or (first.next_step if first.next_step and "://" not in first.next_step else "look at it")
    offered = "dogwatch can do" if f"{instance}/" == COMPONENT else f"{instance} offers"
    return _Draft(
        instance,
        MANUAL,
        subject,
        incident.culprit_name,
        Risk.safe,
        f"nothing that {offered} would mend it",
        {"step": step, "url": first.url or (job.url if job else None)},
    )


def _for_all(incident: Incident, cause: Cause | None, outlook: Outlook) -> _Draft | None:
    """What a person does where the jobs of a platform are in one trouble, which is none of each job's."""
    jobs = [one for one in outlook.findings if one.subject.startswith(f"{incident.culprit}/")]
    if not jobs:
        return None
    step = _mending(incident, cause) or "see to what its jobs share"
    reason = "its jobs fail for one reason; another run of each meets it as long as it is there"
    args: dict[str, JsonValue] = {"step": step, "url": None}
    return _Draft(incident.culprit, MANUAL, incident.culprit, incident.culprit_name, Risk.safe, reason, args)


def _by_hand(incident: Incident, cause: Cause | None, aid: _Draft | None, outlook: Outlook) -> _Draft | None:
    """What a person does before another run helps; None if it may help as it is, or none is proposed."""
    step = _mending(incident, cause)
    if cause is None or not step or aid is None or aid.verb not in _AGAIN:
        return None
    job = outlook.jobs.get(incident.culprit)
    reason = f"another run meets the same cause as long as it is there ({cause.cause_class})"
    args: dict[str, JsonValue] = {"step": step, "url": job.url if job else None}
    return _Draft(aid.connector, MANUAL, incident.culprit, incident.culprit_name, Risk.safe, reason, args)


def _mending(incident: Incident, cause: Cause | None) -> str:
    """What a person does about a cause that stays; empty if it may pass, or nobody can say what it is."""
    if cause is None or cause.cause_class is None or cause.subject != incident.culprit:
        return ""
    return "" if cause.confidence is Confidence.inconclusive else _BY_HAND.get(cause.cause_class, "")


def suggested(
    incident: Incident, verb: str, subject: str, reason: str, cites: Sequence[str], outlook: Outlook
) -> tuple[Action | None, str]:
    """The exact action that somebody else than the rules has in mind, or None and why there is none.

    What it does to which run is found out here: whoever suggests it chooses a verb and a job, nothing more.
    ``proposed_by``, times and state are left to whoever writes it down.
    """
    names = {incident.culprit: incident.culprit_name, **{one.subject: one.name for one in incident.affected}}
    if subject not in names:
        return None, "it is neither the culprit nor hit by the incident"
    if verb == MANUAL:
        instance = subject.partition("/")[0]
        draft = _Draft(instance, MANUAL, subject, names[subject], Risk.safe, reason, {"step": reason})
    else:
        offered = _offered(subject, (verb,), outlook, incident.began_at)
        if offered is None:
            return None, "its platform does not offer it, or it makes no sense just now"
        draft = replace(offered, reason=reason)
    at = incident.updated_at
    return draft.action(tuple(sorted(set(cites))), incident, at, at), ""


def _after(subject: str, incident: Incident, outlook: Outlook) -> _Draft | None:
    """What the culprit broke is run again once the culprit is well."""
    well = _well_since(outlook.runs.get(incident.culprit, ()), incident.began_at)
    draft = _offered(subject, _AGAIN, outlook, well)
    return draft and replace(draft, reason=f"{incident.culprit_name} is well again; this still lacks it")


def _well_since(runs: Sequence[Run], began: datetime) -> datetime:
    """When the first run ended well after the last one that did not; else when the trouble began."""
    well = began
    for run in reversed([run for run in runs if not run.status.open]):
        if run.status.bad:
            break
        if run.status.good and run.ended_at is not None and run.ended_at >= began:
            well = run.ended_at
    return well


def _has(subject: str, verbs: Sequence[str], outlook: Outlook) -> bool:
    """Whether the platform offers one of the verbs for this job at all."""
    offered, job = outlook.verbs.get(subject.partition("/")[0], {}), outlook.jobs.get(subject)
    known = [offered[name] for name in verbs if name in offered]
    return job is not None and any(not (verb.roots_only and job.after) for verb in known)


def _offered(subject: str, verbs: Sequence[str], outlook: Outlook, since: datetime) -> _Draft | None:
    """The first of the verbs that the platform offers and that makes sense for the job as it is; those that
    were in vain lately last. ``since``: when the trouble began."""
    offered, job = outlook.verbs.get(subject.partition("/")[0], {}), outlook.jobs.get(subject)
    runs = outlook.runs.get(subject, ())
    for name in sorted(verbs, key=lambda name: outlook.vain.get((name, subject), 0)):
        verb = offered.get(name)
        if verb is None or job is None or (verb.roots_only and job.after):
            continue
        fits, run = _target(verb, name, runs, since)
        if not fits:
            continue
        args: dict[str, JsonValue] = {}
        if run is not None and verb.about_run:
            args = {"run": run.native_run_id, "attempt": run.attempt}
        elif run is not None:
            args = {"after": run.native_run_id}  # a later failure of the job is another proposal
        return _Draft(job.instance, name, job.subject, job.name, verb.risk, "", args)
    return None


def _target(verb: Verb, name: str, runs: Sequence[Run], since: datetime) -> tuple[bool, Run | None]:
    """Whether a verb makes sense, and the run that it is about."""
    begun = [run for run in runs if run.status is not Status.skipped]
    last = begun[-1] if begun else None
    going = [run for run in begun if run.status.open]
    match name:
        case "cancel":
            return bool(going), going[-1] if going else None
        case "repair":
            return not going and last is not None and last.status.bad, last
        case "rerun":
            made_good = last is not None and last.status.good and last.began_at >= since
            return not going and not made_good, last
        case _:
            return verb.proof in (Proof.job_active, Proof.job_paused), last


def _configured(incident: Incident, cause: Cause | None, policy: Policy) -> list[_Draft]:
    """Commands and webhooks of the policy file that are meant for such an incident."""
    known = cause.cause_class if cause else None
    found = [
        *((LOCAL, name, one.jobs, one.causes, one.risk) for name, one in policy.commands.items()),
        *((WEBHOOK, name, one.jobs, one.causes, one.risk) for name, one in policy.webhooks.items()),
    ]
    return [
        _Draft(
            where,
            name,
            incident.culprit,
            incident.culprit_name,
            risk,
            f"the policy file names {name} for such incidents",
        )
        for where, name, jobs, causes, risk in found
        if named(jobs, incident.culprit, incident.culprit_name) and (not causes or known in causes)
    ]


def _reason(draft: _Draft, finding: Finding, cause: Cause | None, outlook: Outlook) -> str:
    said = _because(draft.verb, finding, cause)
    vain = outlook.vain.get((draft.verb, draft.target), 0)
    times = "the last time" if vain == 1 else f"the last {vain} times"
    return f"{said}; it did not help {times}" if vain else said


def _because(verb: str, finding: Finding, cause: Cause | None) -> str:
    known = cause.cause_class if cause else None
    if verb in _AGAIN:
        if known in PASSING:
            return f"{known} often passes by itself; another try shows whether it has"
        if known is not None:
            return f"to make its results anew; {_FIRST.get(known, 'see to the cause first')} ({known})"
        return "to make its results anew; why it went wrong is not known"
    if verb == "cancel":
        return "it holds its place without getting on"
    return f"it is not running by itself: {finding.rule}"
