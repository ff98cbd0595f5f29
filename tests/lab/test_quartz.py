"""Cron as Quartz writes it."""

import pytest

from dogwatch.errors import LabError
from dogwatch.lab.quartz import to_quartz


@pytest.mark.parametrize(
    ("cron", "quartz"),
    [
        ("0 2 * * *", "0 0 2 * * ?"),
        ("*/15 6-22 * * *", "0 */15 6-22 * * ?"),
        ("30 3 1 * *", "0 30 3 1 * ?"),
        ("0 2 * * 1-5", "0 0 2 ? * 2,3,4,5,6"),
        ("0 2 * * 0", "0 0 2 ? * 1"),
        ("0 2 * * 7", "0 0 2 ? * 1"),
        ("0 2 * * 5-7", "0 0 2 ? * 1,6,7"),
        ("0 2 * * mon,Thu", "0 0 2 ? * 2,5"),
        ("0 2 * * MON-FRI", "0 0 2 ? * 2,3,4,5,6"),
        ("0 2 * * */2", "0 0 2 ? * 1,3,5,7"),
        ("0 2 * * 2/2", "0 0 2 ? * 3,5,7"),
    ],
)
def test_seconds_come_first_sunday_is_one_and_one_day_field_is_open(cron: str, quartz: str) -> None:
    assert to_quartz(cron) == quartz


def test_what_quartz_cannot_say_is_an_error() -> None:
    with pytest.raises(LabError):
        to_quartz("0 2 1 * 1")
