"""The twin of Power Automate writes schedules as the flow designer would."""

from typing import Any

import pytest

from dogwatch.errors import LabError
from dogwatch.lab.platforms.power_automate import recurrence
from dogwatch.lab.world import LabJob

EVERY_HOUR = list(range(24))


@pytest.mark.parametrize(
    ("cron", "written"),
    [
        ("*/20 * * * *", {"frequency": "Minute", "interval": 20}),
        (
            "10,40 * * * *",
            {
                "frequency": "Day",
                "interval": 1,
                "timeZone": "UTC",
                "schedule": {"hours": EVERY_HOUR, "minutes": [10, 40]},
            },
        ),
    ],
)
def test_a_cron_line_is_written_as_a_recurrence(cron: str, written: dict[str, Any]) -> None:
    assert recurrence(LabJob("power_automate/a", "A", schedule=cron)) == written


@pytest.mark.parametrize("cron", ["0 6 1,15 * *", "0 6 1 * 1"])
def test_a_schedule_that_the_lab_cannot_write_is_refused(cron: str) -> None:
    with pytest.raises(LabError, match="one day of every month"):
        recurrence(LabJob("power_automate/a", "A", schedule=cron))
