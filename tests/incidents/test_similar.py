"""Past incidents that are like one of today."""

from dogwatch.incidents.similar import LEAST, similar
from support.old_incidents import AUTH, DRIFT, seen

TODAY = seen(9, "airbyte/a", cause=AUTH, phrase="password refused")


def test_the_same_job_with_the_same_cause_is_the_likest_and_tells_what_helped() -> None:
    past = [
        seen(1, "airbyte/a", cause=AUTH, phrase="Password refused"),
        seen(2, "airbyte/a", cause=DRIFT),
        seen(3, "airbyte/b", cause=AUTH),
        TODAY,
    ]
    found = similar(TODAY, past, {"airbyte/b"})
    assert [one.number for one in found] == [1, 2, 3]
    assert found[0].likeness == 0.85
    assert found[0].done[0].state == "helped"
    assert found[0].why == (
        "the same culprit, airbyte/a",
        "the same finding, failed",
        "the same sort of cause, auth_permission",
        "the same words",
    )
    assert "its culprit is joined to this one" in found[2].why


def test_what_shares_little_is_not_alike() -> None:
    past = [seen(1, "airbyte/b"), seen(2, "airbyte/c", "slow", cause=AUTH)]
    assert similar(TODAY, past, set()) == []
    assert LEAST > 0.2
