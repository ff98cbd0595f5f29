"""Small estates for tests of the lab."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dogwatch.lab.estate import Estate, parse_estate
from dogwatch.lab.faults import Fault, parse_fault
from dogwatch.lab.simulate import simulate
from dogwatch.lab.world import World
from dogwatch.lab.yamlfile import Entry, read

NOW = datetime(2026, 3, 3, 6, 30, tzinfo=UTC)
"""A Tuesday."""

SHOP = """
id: shop
timezone: Europe/Berlin
jobs:
  airbyte/orders:
    {schedule: "0 2 * * *", timezone: UTC, duration: 12m, rows: 1000, retries: 1, weekly: {mon: 1.6}}
  airbyte/users: {schedule: "10 2 * * *", timezone: UTC, duration: 5m}
  airbyte/stock: {every: 30m, duration: 4m}
  snowflake/load: {after: [airbyte/orders, airbyte/users], duration: 4m}
  snowflake/mart: {after: [snowflake/load], duration: 6m}
  power_automate/mail: {after: [snowflake/mart], duration: 1m}
  databricks/hourly: {schedule: "0 * * * *", duration: 6m}
  databricks/daily: {schedule: "30 4 * * *", reads: [snowflake/load], duration: 22m}
  power_automate/sweep: {schedule: "*/20 * * * *", duration: 2m}
components:
  component/extractor:
    {platform: cloud_logging, rate: 2/m, templates: ["read {doc}"], calls: [component/llm]}
"""


class Stopped:
    """A clock that stands still."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """Where it stands."""
        return self.at


def entry(text: str, folder: Path, name: str = "file.yaml") -> Entry:
    """A YAML text as the lab reads it."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read(path)


def shop(folder: Path, *, around: datetime | None = None) -> Estate:
    """The estate above. ``around``: when ``stock`` is not to be under way, a quarter of an hour before and
    after its runs; for tests that live in real time and ask what is proposed for it."""
    text = SHOP
    if around is not None:
        first = (around.minute + 15) % 30
        text = text.replace("every: 30m", f'schedule: "{first},{first + 30} * * * *", timezone: UTC')
    return parse_estate(entry(text, folder, "shop.yaml"))


def faults(text: str, estate: Estate, folder: Path) -> list[Fault]:
    """Faults, written as a YAML list."""
    return [parse_fault(item, estate) for item in entry(text, folder, "faults.yaml").items()]


def world(estate: Estate, struck: Sequence[Fault] = (), *, seed: int = 1, now: datetime = NOW) -> World:
    """Seven days of that estate until ``now``."""
    return simulate(
        estate, seed=seed, start=now - timedelta(days=7), end=now, clock=Stopped(now), faults=struck
    )
