"""One root cause, one incident: what belongs together, what is kept apart, and who is to blame."""

import pytest

from dogwatch.model import Harm, IncidentState, Severity, Status
from support.incidents import AUTH, Watch, a_run, at, clocked, graph, told, told_of

CHAIN = graph("a/load > b/model", "b/model > b/mart", "b/mart - c/report")


def culprits(watch: Watch, *found: object, minute: float = 60) -> list[str]:
    """Whom the live incidents blame after one round."""
    return sorted(one.culprit for one in watch.round(minute, *found))  # type: ignore[arg-type]  # Told


def test_what_is_skipped_downstream_is_attached_and_not_told() -> None:
    watch = Watch(CHAIN)
    [one] = watch.round(
        9, told("failed", "a/load", 0, AUTH), told("skipped", "b/model", 1), told("skipped", "b/mart", 1)
    )
    assert (one.culprit, one.severity, one.state) == ("a/load", Severity.ERROR, IncidentState.open)
    harms = {hit.subject: hit.harm for hit in one.affected}
    assert harms == {"b/model": Harm.skipped, "b/mart": Harm.skipped, "c/report": Harm.threatened}
    assert all(hit.cites for hit in one.affected if hit.harm is not Harm.threatened)


def test_jobs_that_were_paused_with_their_platform_are_not_hit() -> None:
    [one] = Watch().round(60, *(told("paused", f"a/{n}", n / 9) for n in range(4)))
    assert (one.culprit, one.affected) == ("a", ())


def test_a_job_that_fails_for_want_of_input_belongs_to_what_is_upstream_across_platforms() -> None:
    watch = Watch(CHAIN)
    failed = told("failed", "c/report", 20, "Table 'RAW.ORDERS' does not exist")
    assert culprits(watch, told("failed", "a/load", 0, AUTH), failed) == ["a/load"]


def test_a_job_downstream_that_fails_for_its_own_reason_is_an_incident_of_its_own() -> None:
    watch = Watch(CHAIN)
    oom = told("failed", "b/model", 5, "java.lang.OutOfMemoryError: Java heap space")
    assert culprits(watch, told("failed", "a/load", 0, AUTH), oom) == ["a/load", "b/model"]


def test_a_job_with_a_clock_of_its_own_that_misses_its_time_is_not_excused_by_what_it_reads() -> None:
    watch = Watch(graph("a/load - b/mart"), jobs=clocked("b/mart"))
    assert culprits(watch, told("failed", "a/load", 0, AUTH), told("missed", "b/mart", 5)) == [
        "a/load",
        "b/mart",
    ]


def test_what_began_before_is_not_explained_by_what_came_after() -> None:
    watch = Watch(CHAIN)
    early = told("failed", "b/mart", 0, "no such table raw.x")
    assert culprits(watch, told("failed", "a/load", 90, AUTH), early, minute=120) == ["a/load", "b/mart"]


def test_a_habit_explains_why_a_job_did_not_start_and_nothing_else() -> None:
    watch = Watch(graph("a/load ~ b/mart"))
    assert culprits(watch, told("failed", "a/load", 0, AUTH), told("missed", "b/mart", 9)) == ["a/load"]
    other = Watch(graph("a/load ~ b/mart"))
    unsaid = told("failed", "b/mart", 9, "something odd")
    assert culprits(other, told("failed", "a/load", 0, AUTH), unsaid) == ["a/load", "b/mart"]


def test_a_paused_job_counts_for_itself_whatever_is_upstream() -> None:
    watch = Watch(CHAIN)
    assert culprits(watch, told("failed", "a/load", 0, AUTH), told("paused", "b/model", 5)) == [
        "a/load",
        "b/model",
    ]


def test_two_jobs_with_different_errors_and_no_edge_are_two() -> None:
    watch = Watch()
    found = (told("failed", "a/x", 0, AUTH.format("svc")), told("failed", "a/y", 0, "disk quota exceeded"))
    assert culprits(watch, *found) == ["a/x", "a/y"]


def test_forty_red_jobs_with_one_account_are_one_incident_of_their_platform() -> None:
    found = [told("failed", f"a/{n:02}", n / 2, AUTH.format("svc")) for n in range(40)]
    [one] = Watch().round(60, *found)
    assert (one.culprit, len(one.findings)) == ("a", 40)
    assert [(hit.subject, hit.harm) for hit in one.affected] == [
        (f"a/{n:02}", Harm.failed) for n in range(40)
    ]
    assert one.title.startswith("40 jobs of a failed for the same reason; the first: 00 failed")


def test_a_few_jobs_with_one_account_beside_many_that_are_well_are_blamed_on_the_first() -> None:
    found = [told("failed", f"a/{n}", n, AUTH.format("svc")) for n in range(3)]
    good = {f"a/well{n}": at(30) for n in range(20)}
    [one] = Watch(good=good).round(60, *found)
    assert (one.culprit, len(one.findings)) == ("a/0", 3)


def test_two_accounts_that_break_at_the_same_time_are_two_incidents() -> None:
    found = [told("failed", f"a/{n:02}", 0, AUTH.format("one" if n % 2 else "two")) for n in range(20)]
    assert len(Watch().round(60, *found)) == 2


def test_jobs_of_two_platforms_that_name_the_same_host_are_one() -> None:
    refused = "could not connect to server: Connection refused ({0}), host db.shop.internal:5432"
    found = (
        told("failed", "a/x", 0, refused.format("syncing")),
        told("failed", "b/y", 3, f"ODBC: {refused.format('reading')}"),
    )
    assert culprits(Watch(), *found) == ["a/x"]


def test_words_with_dots_are_no_hosts() -> None:
    found = [
        told("failed", subject, 0, f"java.lang.OutOfMemoryError: Java heap space in {subject[2:]}")
        for subject in ("a/job1", "b/job2")
    ]
    assert len(Watch().round(60, *found)) == 2


def test_the_same_words_hours_later_are_another_incident_if_the_first_is_over() -> None:
    watch = Watch()
    watch.round(10, told("failed", "a/x", 0, AUTH.format("svc")))
    watch.round(20)
    [one] = watch.round(600, told("failed", "a/y", 590, AUTH.format("svc")))
    assert one.culprit == "a/y"


def test_most_jobs_of_a_platform_that_miss_their_time_are_one() -> None:
    found = [told("missed", f"a/{n}", n) for n in range(6)]
    assert culprits(Watch(jobs=clocked(*(f"a/{n}" for n in range(6)))), *found) == ["a"]
    well = Watch(good={f"a/well{n}": at(50) for n in range(20)})
    assert len(culprits(well, *found)) == 6


def test_a_blind_platform_is_an_incident_of_its_own_and_counts_as_blind() -> None:
    one, other = Watch(CHAIN).round(60, told("blind", "b", 0, "401"), told("failed", "a/load", 0, AUTH))
    assert (one.culprit, one.blind, one.wrong) == ("a/load", False, True)
    assert (other.culprit, other.blind, other.wrong) == ("b", True, False)


def test_notes_alone_open_nothing() -> None:
    watch = Watch(CHAIN)
    assert watch.round(60, told("skipped", "b/mart"), told("fast", "a/load", severity=Severity.INFO)) == []


def test_silence_is_kept_and_the_incident_is_seen_all_the_same() -> None:
    watch = Watch(CHAIN)
    [one] = watch.round(10, told("failed", "a/load", 0, AUTH, muted="maintenance until 14:00"))
    assert (one.muted, one.wrong) == ("maintenance until 14:00", False)
    [one] = watch.round(130, told("failed", "a/load", 0, AUTH))
    assert (one.muted, one.wrong, one.severity) == ("", True, Severity.ERROR)
    assert watch.turns == ["INC-1 opened", "INC-1 unmuted"]


def test_who_ran_meanwhile_ran_on_stale_data_until_the_culprit_was_well() -> None:
    watch = Watch(CHAIN)
    watch.lives = {
        "a/load": [a_run("a/load", 0, Status.failed), a_run("a/load", 100)],
        "b/model": [a_run("b/model", 30)],
        "c/report": [a_run("c/report", 40), a_run("c/report", 200)],
    }
    [one] = watch.round(60, told("failed", "a/load", 0, AUTH))
    assert ("b/model", Harm.stale) in {(hit.subject, hit.harm) for hit in one.affected}


@pytest.mark.parametrize("first", [0, 1, 2])
def test_of_two_causes_upstream_the_nearest_is_blamed_and_both_stay_apart(first: int) -> None:
    both = graph("a/x > c/z", "b/y > c/z")
    found = [
        told("failed", "a/x", 0, AUTH.format("svc")),
        told("failed", "b/y", 2, "disk full"),
        told("skipped", "c/z", 3),
    ]
    live = Watch(both).round(60, *found[first:], *found[:first])
    assert told_of(live) == {("a/x", frozenset({"c/z"})), ("b/y", frozenset({"c/z"}))}


DENIED = "Permission 'storage.objects.get' denied on resource (or it may not exist)."
UNANSWERED = "upstream request timeout: store did not answer within <ms> ms (DEADLINE_EXCEEDED)"


def test_a_component_whose_log_names_the_one_that_does_not_answer_waits_for_that_one() -> None:
    store = told("log_new", "component/store", 0, DENIED)
    watch = Watch()
    [one] = watch.round(10, store, told("log_new", "component/api", 2, UNANSWERED))
    assert one.culprit == "component/store"
    assert [hit.subject for hit in one.affected] == ["component/api"]


def test_what_lies_behind_one_that_follows_without_an_edge_is_hit_too() -> None:
    watch = Watch(graph("component/api - c/report"))
    watch.lives = {"c/report": [a_run("c/report", 30)]}
    store = told("log_new", "component/store", 0, DENIED)
    [one] = watch.round(40, store, told("log_new", "component/api", 2, UNANSWERED))
    assert [(hit.subject, hit.harm) for hit in one.affected] == [
        ("c/report", Harm.stale),
        ("component/api", Harm.degraded),
    ]


@pytest.mark.parametrize(
    "said",
    [
        "upstream request timeout: bookstore did not answer within <ms> ms",
        "upstream request timeout: store-eu did not answer within <ms> ms",
        "KeyError: 'store'",
    ],
)
def test_a_line_that_names_something_else_or_says_something_else_joins_nothing(said: str) -> None:
    store, api = told("log_new", "component/store", 0, DENIED), told("log_new", "component/api", 2, said)
    assert culprits(Watch(), store, api) == ["component/api", "component/store"]


def test_a_component_that_complained_long_before_is_not_explained() -> None:
    store, api = (
        told("log_new", "component/store", 60, DENIED),
        told("log_new", "component/api", 0, UNANSWERED),
    )
    assert culprits(Watch(), store, api, minute=70) == ["component/api", "component/store"]
