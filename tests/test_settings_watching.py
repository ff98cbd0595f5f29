"""What dogwatch.yaml says about metrics, as the rules get it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
from ruamel.yaml import YAML

from dogwatch import settings
from dogwatch.detect.thresholds import Threshold
from dogwatch.errors import SettingsError
from dogwatch.model import Severity
from dogwatch.settings.policy import policy

AIRBYTE = "timezone: UTC\nconnectors: {airbyte: {url: http://127.0.0.1:9}}\n"
LIMITS = """
limits:
  - {metric: error_rate, on: component/*, above: 0.02, for: 10m, severity: ERROR}
  - {metric: throughput, below: 5}
"""


def load(folder: Path, text: str) -> settings.Settings:
    (folder / "dogwatch.yaml").write_text(AIRBYTE + text, encoding="utf-8")
    return settings.load(None, {}, folder)


def test_limits_reach_the_rules_in_the_units_of_their_metrics(tmp_path: Path) -> None:
    assert policy(load(tmp_path, LIMITS)).limits == [
        Threshold("error_rate", 0.02, Severity.ERROR, timedelta(minutes=10), subject="component/*", unit="%"),
        Threshold("throughput", 5.0, Severity.WARNING, below=True),
    ]
    jsonschema.validate(YAML(typ="safe").load(AIRBYTE + LIMITS), settings.schema())


def test_who_says_nothing_of_limits_has_none_of_his_own(tmp_path: Path) -> None:
    assert policy(load(tmp_path, "")).limits == []


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "UTC"])
def test_maintenance_may_last_for_ever(zone: str, tmp_path: Path) -> None:
    window = "maintenance:\n  - {on: '*', from: 0001-01-01T00:00, to: 9999-12-31T23:59}\n"
    found = policy(load(tmp_path, window).model_copy(update={"timezone": zone})).told
    why = found.excuse("airbyte/1", "orders", datetime(2026, 11, 20, tzinfo=UTC))
    assert why.startswith("maintenance until")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{metric: cpu}", "needs either above or below"),
        ("{metric: cpu, above: 1, below: 0}", "needs either above or below"),
        ("{metric: cpu, above: 1, for: soon}", "is no duration"),
        ("{metric: cpu, above: 1, fro: 5m}", "fro"),
        ("{above: 1}", "metric"),
        ("{metric: cpu, above: 1, severity: BAD}", "severity"),
    ],
)
def test_a_limit_that_is_wrong_is_told_with_its_place(entry: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, f"limits:\n  - {entry}\n")
    assert said in str(caught.value)
    assert "limits" in str(caught.value)
