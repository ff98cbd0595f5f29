"""What came of an action, by data that is newer than the action. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dogwatch.model import Action, ActionState, Incident, Job, JobState, Run
from dogwatch.model.text import span
from dogwatch.wire.acting import Proof

_PATIENCE = timedelta(minutes=30)
"""So long it may take until the platform shows that it has begun."""
_SLACK = timedelta(minutes=2)
"""By so much a platform's clock may be behind ours."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known since."""

    runs: Sequence[Run]
    """The job's newest attempts, oldest first."""
    job: Job | None
    read_until: datetime | None
    """When its platform was last read whole."""
    before: Incident | None
    """The incident as it was when the action began."""
    after: Incident | None
    """The incident as it is."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of an action now."""

    state: ActionState
    why: str


def outcome(action: Action, proof: Proof, sight: Sight, now: datetime) -> Outcome | None:
    """What came of a performed action; None as long as fresh data does not show it.

    An action that nothing shows (``Proof.told``) helped if its incident is resolved.
    """
    began = action.began_at or now
    if proof is Proof.told:
        return _by_incident(sight)
    if sight.read_until is None or sight.read_until <= began:
        return None
    if proof in (Proof.job_paused, Proof.job_active):
        found = _by_job(proof, sight)
    elif proof is Proof.run_over:
        found = _by_end(action, sight)
    else:
        found = _by_run(action, proof, sight)
    if found is None and now - began > _PATIENCE and not _begun(action, proof, sight):
        return Outcome(
            ActionState.did_not_help, f"nothing came of it in {span((now - began).total_seconds())}"
        )
    if found is not None and found.state is ActionState.did_not_help and _worse(sight):
        return Outcome(ActionState.made_worse, f"{found.why}, and the incident has grown since")
    return found


def _by_incident(sight: Sight) -> Outcome | None:
    if sight.after is None or sight.after.state.live:
        return None
    return Outcome(ActionState.helped, f"{sight.after.name} is {sight.after.state.value}")


def _by_job(proof: Proof, sight: Sight) -> Outcome | None:
    if sight.job is None:
        return None
    wanted = JobState.paused if proof is Proof.job_paused else JobState.active
    return Outcome(ActionState.helped, f"the job is {wanted.value}") if sight.job.state is wanted else None


def _by_end(action: Action, sight: Sight) -> Outcome | None:
    of = [run for run in sight.runs if run.native_run_id == action.args.get("run")]
    if not of or of[-1].status.open:
        return None
    return Outcome(ActionState.helped, f"the run is over: {of[-1].status.value}")


def _by_run(action: Action, proof: Proof, sight: Sight) -> Outcome | None:
    run = next((run for run in _fruit(action, proof, sight) if not run.status.open), None)
    if run is None:
        return None
    if run.status.good:
        return Outcome(ActionState.helped, f"run {run.native_run_id} ended {run.status.value}")
    return Outcome(ActionState.did_not_help, f"run {run.native_run_id} ended {run.status.value} again")


def _begun(action: Action, proof: Proof, sight: Sight) -> bool:
    """Whether a run that came of it is still going."""
    return proof in (Proof.new_run, Proof.new_attempt) and bool(_fruit(action, proof, sight))


def _fruit(action: Action, proof: Proof, sight: Sight) -> list[Run]:
    """The runs that came of it."""
    if proof is Proof.new_attempt:
        known = action.args.get("attempt")
        least = known if isinstance(known, int) else 1
        run = action.args.get("run")
        return [one for one in sight.runs if one.native_run_id == run and one.attempt > least]
    if action.native_run_id:
        return [run for run in sight.runs if run.native_run_id == action.native_run_id]
    began = (action.began_at or action.proposed_at) - _SLACK
    return [
        run for run in sight.runs if run.began_at >= began and run.native_run_id != action.args.get("after")
    ]


def _worse(sight: Sight) -> bool:
    before, after = sight.before, sight.after
    if before is None or after is None:
        return False
    more = {one.subject for one in after.affected} - {one.subject for one in before.affected}
    return after.severity.rank > before.severity.rank or bool(more)
