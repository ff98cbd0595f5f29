"""Changes and hourly levels survive; old levels are forgotten."""

from datetime import timedelta

from dogwatch.model import Change, ChangeKind
from dogwatch.store import open_store
from support.cast import NOON, a_job
from support.stores import Where

HOUR = timedelta(hours=1)


def change(number: int, **changes: object) -> Change:
    told: dict[str, object] = {
        "uid": f"{number:016x}",
        "instance": "github",
        "kind": ChangeKind.deployment,
        "subject": "component/api",
        "at": NOON - HOUR * number,
        "summary": f"v{number} was deployed",
        **changes,
    }
    return Change.model_validate(told)


def test_changes_come_back_in_order_of_time_and_are_known_once(where: Where) -> None:
    store = open_store(where)
    store.save_changes([change(1), change(3), change(2)])
    store.save_changes([change(2, state="success")])
    found = store.changes(NOON - 3 * HOUR, NOON)
    assert [one.summary for one in found] == ["v3 was deployed", "v2 was deployed", "v1 was deployed"]
    assert found[1].state == "success"
    assert store.changes(NOON - 2 * HOUR, NOON - 2 * HOUR) == [found[1]]
    store.close()


def test_levels_are_kept_by_series_and_hour(where: Where) -> None:
    store = open_store(where)
    hours = [(NOON - HOUR * back, float(back)) for back in (3, 2, 1)]
    store.save_levels({"a": hours, "b": hours[:1]}, NOON - 5 * HOUR)
    store.save_levels({"a": [(NOON - HOUR, 7.0)]}, NOON - 2 * HOUR)
    assert store.levels(["a", "b", "c"], NOON - 9 * HOUR) == {"a": [hours[1], (NOON - HOUR, 7.0)]}
    store.close()


def test_jobs_that_were_edited_are_found_by_when_it_was_seen(where: Where) -> None:
    store = open_store(where)
    store.save_jobs("airbyte", [a_job(), a_job("users")], NOON - 9 * HOUR)
    store.save_jobs("airbyte", [a_job(name="Other"), a_job("users")], NOON)
    assert store.edited_versions(NOON - HOUR, NOON) == [("airbyte", "orders")]
    store.close()
