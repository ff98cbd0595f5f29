"""Who delivered anew before a job failed of columns that it does not know."""

from dogwatch.incidents.delivered import deliveries
from dogwatch.model import Cause, CauseClass, Confidence, Run, Status
from support.incidents import a_run, graph

FED = graph("a/orders - b/model", "a/users - b/model", "a/plans ~ b/model")
NAMES = {"a/orders": "Orders", "b/model": "Model"}


def failing(*runs: Run, cause_class: CauseClass = CauseClass.schema_drift) -> tuple[list[str], list[Cause]]:
    """Of the runs of Orders and of Model: who is named beside Model, and how."""
    lives: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.began_at):
        lives.setdefault(f"{run.instance}/{run.job_id}", []).append(run)
    first = Cause(
        claim="Model failed",
        cause_class=cause_class,
        subject="b/model",
        confidence=Confidence.confirmed,
        cites=("one",),
    )
    causes, proofs = deliveries(first, FED, lives, NAMES)
    assert [proof.id for proof in proofs] == [cause.cites[0] for cause in causes]
    return [cause.subject for cause in causes], causes


GOOD, BAD = a_run("b/model", 10), a_run("b/model", 70, Status.failed, "invalid identifier")


def test_who_delivered_between_the_last_good_run_and_the_one_that_failed_is_named() -> None:
    subjects, [cause] = failing(GOOD, BAD, a_run("a/orders", 0), a_run("a/orders", 60))
    assert subjects == ["a/orders"]
    assert (
        cause.claim == "Orders delivered anew before Model failed; whether its columns changed was not read"
    )
    assert cause.confidence is Confidence.inconclusive
    assert cause.cites[1:] == ("one",)


def test_the_latest_comes_first_and_a_habit_is_no_way() -> None:
    feeds = [a_run(f"a/{name}", minute) for name, minute in (("users", 50), ("orders", 60), ("plans", 61))]
    assert failing(GOOD, BAD, *feeds)[0] == ["a/orders", "a/users"]


def test_nobody_is_named_who_did_not_deliver_meanwhile() -> None:
    before, after = a_run("a/orders", 0), a_run("a/orders", 90)
    failed = a_run("a/users", 60, Status.failed)
    assert failing(GOOD, BAD, before, after, failed)[0] == []


def test_nobody_is_named_if_no_run_went_well_before_or_the_cause_is_another() -> None:
    assert failing(BAD, a_run("a/orders", 60))[0] == []
    assert failing(GOOD, BAD, a_run("a/orders", 60), cause_class=CauseClass.bad_data)[0] == []


def test_it_stays_named_while_the_job_goes_on_failing_and_once_it_is_well() -> None:
    runs = [GOOD, BAD, a_run("b/model", 130, Status.failed), a_run("a/orders", 60), a_run("a/orders", 120)]
    first = failing(*runs)[1]
    assert [cause.cites for cause in first] == [cause.cites for cause in failing(*runs[:4])[1]]
    assert failing(*runs, a_run("b/model", 190))[1] == first
