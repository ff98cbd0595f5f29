"""The identity of a run, and the short way to make one."""

import uuid
from datetime import UTC, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dogwatch.model import Run, Status, run_uid

NAMESPACE = uuid.UUID("6f0a3f6e-5d0b-5c7e-9a3e-3b1f2d9c4a10")
MOMENTS = st.datetimes(timezones=st.just(UTC)).filter(lambda moment: 1971 < moment.year < 2200)
TEXTS = st.text(max_size=20)


@given(TEXTS, TEXTS, TEXTS, TEXTS, st.integers(1, 99))
def test_the_identity_of_a_run_is_a_uuid_of_version_5(
    platform: str, instance: str, job_id: str, native_id: str, attempt: int
) -> None:
    name = "\x1f".join((platform, instance, job_id, native_id, str(attempt)))
    assert run_uid(platform, instance, job_id, native_id, attempt) == str(uuid.uuid5(NAMESPACE, name))


@given(st.data())
def test_a_told_run_is_the_checked_run(data: st.DataObject) -> None:
    """Equal in every field, and the same for whoever writes, copies, compares or stores it."""
    optional = {
        **dict.fromkeys(("kind", "trigger"), TEXTS),
        **dict.fromkeys(("parent_uid", "error_message", "url"), st.none() | TEXTS),
        **dict.fromkeys(
            ("scheduled_for", "queued_at", "started_at", "ended_at", "updated_at"), st.none() | MOMENTS
        ),
        "attempt": st.integers(1, 9),
        "metrics": st.dictionaries(TEXTS, st.floats(allow_nan=False), max_size=2),
        "metadata": st.dictionaries(TEXTS, st.none() | TEXTS | st.lists(TEXTS, max_size=2), max_size=2),
    }
    needed = dict.fromkeys(
        ("uid", "platform", "instance", "job_id", "job_name", "native_run_id", "native_status"), TEXTS
    )
    given_: dict[str, Any] = data.draw(
        st.fixed_dictionaries(
            {**needed, "status": st.sampled_from(Status), "observed_at": MOMENTS}, optional=optional
        )
    )
    checked, told = Run(**given_), Run.told(**given_)
    assert told == checked
    assert repr(told) == repr(checked)
    assert told.model_dump_json() == checked.model_dump_json()
    later = {"observed_at": told.observed_at + timedelta(seconds=1)}
    assert told.model_copy(update=later) == checked.model_copy(update=later)
    assert (told.version, told.began_at, told.duration) == (
        checked.version,
        checked.began_at,
        checked.duration,
    )
