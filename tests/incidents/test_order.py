"""Order of arrival, repetition and splitting into rounds do not change what the incidents are in the end."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from dogwatch.model import Incident
from support.incidents import AUTH, Told, Watch, clocked, graph, told

SUBJECTS = ("a/load", "a/other", "a/third", "b/model", "b/mart", "c/report", "c/side")
GRAPH = graph(
    "a/load > b/model", "a/other > b/model", "b/model > b/mart", "b/mart - c/report", "a/third ~ c/side"
)
CLOCKED = clocked("c/report", "a/load")
ERRORS = (
    "",
    AUTH.format("svc"),
    AUTH.format("other"),
    "java.lang.OutOfMemoryError: Java heap space",
    "Table 'RAW.ORDERS' does not exist",
    "could not connect to server: Connection refused, host db.shop.internal:5432",
)
RULES = ("failed", "skipped", "missed", "late", "slow", "paused", "flapping", "empty")


@st.composite
def troubles(draw: st.DrawFn) -> list[Told]:
    """Some findings, at most one of each rule and subject."""
    keys = draw(
        st.lists(
            st.tuples(st.sampled_from(RULES), st.sampled_from(SUBJECTS)), min_size=1, max_size=9, unique=True
        )
    )
    found = [
        told(
            rule,
            subject,
            draw(st.integers(0, 120)),
            draw(st.sampled_from(ERRORS)) if rule == "failed" else "",
        )
        for rule, subject in keys
    ]
    if draw(st.booleans()):
        found.append(told("blind", draw(st.sampled_from(("a", "b"))), draw(st.integers(0, 120)), "503"))
    return found


def content(incidents: Sequence[Incident]) -> list[str]:
    """What incidents say, without their numbers and what they went through, by key."""
    unsaid = {"number", "version", "opened_at", "updated_at", "reopened", "state"}
    return sorted(one.model_dump_json(exclude=unsaid) for one in incidents)


def watch() -> Watch:
    return Watch(GRAPH, jobs=CLOCKED)


@given(st.data(), troubles())
@settings(max_examples=60, deadline=None)
def test_order_of_arrival_and_repetition_do_not_change_incidents(
    data: st.DataObject, found: list[Told]
) -> None:
    shuffled = data.draw(st.permutations([*found, *found[::2]]))
    assert watch().round(300, *shuffled) == watch().round(300, *found)


@given(st.data(), troubles())
@settings(max_examples=60, deadline=None)
def test_splitting_into_rounds_does_not_change_incidents(data: st.DataObject, found: list[Told]) -> None:
    """Findings become known one round after the other, in any order, and stay."""
    order = data.draw(st.permutations(found))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(order)), max_size=4)))
    slow = watch()
    for number, cut in enumerate(cuts):
        slow.round(300 + number, *order[:cut])
    assert content(slow.round(310, *order)) == content(watch().round(310, *found))


@given(troubles())
@settings(max_examples=60, deadline=None)
def test_every_grave_finding_is_in_one_incident_and_every_incident_ends(found: list[Told]) -> None:
    whole = watch()
    live = whole.round(300, *found)
    counted = [key for one in live for key in one.findings]
    assert len(counted) == len(set(counted))
    grave = {one.finding.fingerprint for one in found if one.finding.severity.rank}
    assert grave <= set(counted)
    whole.round(310)
    assert whole.round(40 * 60) == []
    assert all(not one.state.live for one in whole.incidents.values())


@given(troubles())
@settings(max_examples=40, deadline=None)
def test_who_is_hit_is_shown_by_evidence_and_never_the_culprit(found: list[Told]) -> None:
    whole = watch()
    after = whole.correlate(300, found)
    known = {**whole.evidence, **after.evidence}
    for one in after.incidents:
        for hit in one.affected:
            assert hit.subject != one.culprit
            assert hit.since is None or hit.cites
            assert set(hit.cites) <= known.keys()
