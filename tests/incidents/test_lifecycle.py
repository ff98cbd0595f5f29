"""The life of an incident: what the evidence decides, what people decide, and that nothing of it is lost."""

from datetime import timedelta

import pytest

from dogwatch.errors import IncidentError
from dogwatch.incidents import lifecycle
from dogwatch.model import IncidentState, Severity
from support.incidents import AUTH, Watch, at, graph, told

ANA = "user:ana"
CHAIN = graph("a/load > b/model", "b/model > b/mart")
FAILED = told("failed", "a/load", 0, AUTH)


def test_it_resolves_itself_when_nothing_of_it_is_found() -> None:
    watch = Watch()
    watch.round(10, FAILED)
    after = watch.correlate(20, [])
    assert (after.incidents, [one.state for one in after.ended]) == ((), [IncidentState.resolved])
    assert after.ended[0].resolved_at == at(20)
    assert after.ended[0].severity is Severity.ERROR
    assert watch.turns == ["INC-1 opened", "INC-1 resolved"]


def test_it_is_mitigated_while_what_it_broke_is_not_mended() -> None:
    watch = Watch(CHAIN)
    broken = told("failed", "b/mart", 5, "no such table raw.orders")
    watch.round(10, FAILED, broken)
    [one] = watch.round(20, broken)
    assert (one.state, one.culprit) == (IncidentState.mitigated, "a/load")
    [one] = watch.round(30, FAILED, broken)
    assert one.state is IncidentState.open
    assert watch.round(40) == []
    assert watch.turns == [f"INC-1 {word}" for word in ("opened", "mitigated", "relapsed", "resolved")]


def test_a_round_that_finds_nothing_new_changes_nothing() -> None:
    watch = Watch(CHAIN)
    found = (FAILED, told("skipped", "b/model", 1))
    [before] = watch.round(10, *found)
    [after] = watch.round(20, *found)
    assert after is before
    assert watch.turns == ["INC-1 opened"]


def test_what_comes_back_within_a_day_is_the_same_incident_open_again() -> None:
    watch = Watch()
    watch.round(10, FAILED)
    watch.round(20)
    [one] = watch.round(60, told("failed", "a/load", 55, AUTH))
    assert (one.number, one.state, one.reopened) == (1, IncidentState.open, 1)


def test_what_keeps_coming_back_is_not_resolved_until_it_stays_away() -> None:
    watch = Watch()
    for minute in range(0, 300, 20):
        watch.round(minute, told("failed", "a/load", minute, AUTH))
        watch.round(minute + 10)
    assert watch.turns.count("INC-1 resolved") == 1
    assert watch.turns.count("INC-1 reopened") == 1
    for minute in range(300, 900, 20):
        watch.round(minute)
    assert watch.incidents[1].state is IncidentState.resolved


def test_two_become_one_when_what_joins_them_is_seen_later() -> None:
    watch = Watch(graph("a/load > b/x", "a/load > c/y"))
    odd = (told("failed", "b/x", 5, "no such table"), told("failed", "c/y", 6, "no such file"))
    watch.round(10, *odd)
    assert len(watch.incidents) == 2
    [one] = watch.round(20, *odd, told("failed", "a/load", 0, AUTH))
    assert (one.number, one.culprit, len(one.findings)) == (1, "a/load", 3)
    other = watch.incidents[2]
    assert (other.state, other.merged_into) == (IncidentState.merged, 1)
    assert watch.turns == ["INC-1 opened", "INC-2 opened", "INC-1 changed", "INC-2 merged"]


def test_that_somebody_has_taken_one_on_is_not_lost_in_a_merger() -> None:
    watch = Watch(graph("a/load > b/x", "a/load > c/y"))
    odd = (told("failed", "b/x", 5, "no such table"), told("failed", "c/y", 6, "no such file"))
    watch.round(10, *odd)
    watch.incidents[2] = lifecycle.acknowledge(watch.incidents[2], ANA, at(11))[0]
    [one] = watch.round(20, *odd, told("failed", "a/load", 0, AUTH))
    assert (one.state, one.acknowledged_by) == (IncidentState.acknowledged, "ana")


def test_one_becomes_two_when_they_turn_out_to_be_two_and_the_culprit_keeps_the_number() -> None:
    watch = Watch(CHAIN)
    unsaid = told("failed", "b/model", 5)
    watch.round(10, FAILED, unsaid)
    assert len(watch.incidents) == 1
    oom = told("failed", "b/model", 5, "java.lang.OutOfMemoryError: Java heap space")
    one, other = watch.round(20, FAILED, oom)
    assert {one.number: one.culprit, other.number: other.culprit} == {1: "a/load", 2: "b/model"}


def test_people_take_it_on_mute_resolve_and_reopen_it() -> None:
    watch = Watch()
    [one] = watch.round(10, FAILED)
    taken, turn = lifecycle.acknowledge(one, ANA, at(11))
    assert (taken.state, taken.acknowledged_by, taken.version) == (IncidentState.acknowledged, "ana", 2)
    assert (turn.was, turn.state, turn.actor) == (IncidentState.open, IncidentState.acknowledged, ANA)
    muted, _ = lifecycle.mute(taken, ANA, at(71), at(12), "known")
    assert (muted.wrong, muted.muted) == (False, "muted by ana until 2026-03-03 13:11 UTC: known")
    loud, _ = lifecycle.unmute(muted, ANA, at(13))
    assert (loud.muted, loud.muted_by, loud.wrong) == ("", None, True)
    over, _ = lifecycle.resolve(loud, ANA, at(14))
    assert (over.state, over.resolved_at) == (IncidentState.resolved, at(14))
    again, _ = lifecycle.reopen(over, ANA, at(15))
    assert (again.state, again.resolved_at, again.reopened) == (IncidentState.open, None, 1)


def test_what_is_over_can_only_be_reopened() -> None:
    watch = Watch()
    watch.round(10, FAILED)
    watch.round(20)
    over = watch.incidents[1]
    for verb in (lifecycle.acknowledge, lifecycle.resolve):
        with pytest.raises(IncidentError, match="INC-1: it is resolved"):
            verb(over, ANA, at(30))
    with pytest.raises(IncidentError, match="is not muted"):
        lifecycle.unmute(over, ANA, at(30))


def test_the_mute_of_a_person_ends_at_its_time() -> None:
    watch = Watch()
    [one] = watch.round(10, FAILED)
    watch.incidents[1] = lifecycle.mute(one, ANA, at(60), at(11))[0]
    assert watch.round(30, FAILED)[0].muted.startswith("muted by ana")
    [one] = watch.round(60, FAILED)
    assert (one.muted, one.muted_by, one.muted_until) == ("", None, None)


def test_what_a_person_resolved_rests_until_it_was_gone() -> None:
    watch = Watch()
    [one] = watch.round(10, FAILED)
    watch.incidents[1] = lifecycle.resolve(one, ANA, at(11))[0]
    assert watch.round(20, FAILED) == []
    assert watch.round(30) == []
    [one] = watch.round(40, told("failed", "a/load", 39, AUTH))
    assert (one.number, one.state) == (1, IncidentState.open)


def test_what_a_person_resolved_comes_back_if_something_else_is_found_too() -> None:
    watch = Watch()
    [one] = watch.round(10, FAILED)
    watch.incidents[1] = lifecycle.resolve(one, ANA, at(11))[0]
    [one] = watch.round(20, FAILED, told("flapping", "a/load", 15, AUTH))
    assert one.number == 1


def test_one_of_which_only_a_note_is_left_is_over() -> None:
    watch = Watch()
    watch.round(10, FAILED)
    watch.findings.clear()
    assert watch.round(20, told("failed", "a/load", 0, AUTH, severity=Severity.INFO)) == []
    assert watch.incidents[1].state is IncidentState.resolved


def test_a_skipped_job_keeps_it_mitigated_for_a_day_at_most() -> None:
    watch = Watch(CHAIN)
    skipped = told("skipped", "b/model", 1)
    watch.round(10, FAILED, skipped)
    [one] = watch.round(20, skipped)
    assert (one.state, one.severity, one.wrong) == (IncidentState.mitigated, Severity.INFO, False)
    assert watch.round(20 + timedelta(days=1, minutes=1) / timedelta(minutes=1), skipped) == []
