"""The loader of estates: what it takes, and how it complains."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from dogwatch.errors import LabError
from dogwatch.lab.estate import Estate, load_estate, parse_estate
from support.estates import SHOP, entry, shop

TOLD = """
told:
  pipelines:
    - {name: sales, jobs: [airbyte/orders, snowflake/load, databricks/daily], edges: auto, fresh_by: "06:00"}
    - name: mail
      jobs: [snowflake/mart, power_automate/mail]
      edges: [[snowflake/mart, power_automate/mail]]
  maintenance: [{on: databricks, from: 2026-03-01T00:00:00+01:00, to: 2026-03-01T04:00:00Z}]
  holidays: [2026-12-25]
  muted: [power_automate/sweep]
"""


HEAD = "id: x\njobs: {airbyte/a: {}}\n"


def load(text: str, folder: Path) -> Estate:
    return parse_estate(entry(text, folder))


def complaint(text: str, folder: Path) -> str:
    with pytest.raises(LabError) as caught:
        load(text, folder)
    return caught.value.message


def test_every_word_of_the_format_is_understood(tmp_path: Path) -> None:
    estate = load(SHOP + TOLD, tmp_path)
    orders = estate.jobs["airbyte/orders"]
    assert orders.duration == timedelta(minutes=12)
    assert orders.weekly == (1.6, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    assert (orders.rows, orders.retries, orders.timezone) == (1000, 1, "UTC")
    assert estate.jobs["databricks/hourly"].timezone == "Europe/Berlin"
    assert estate.jobs["airbyte/stock"].every == timedelta(minutes=30)
    assert estate.consumers("snowflake/load") == ["snowflake/mart", "databricks/daily"]
    extractor = estate.components["component/extractor"]
    assert (extractor.rate, extractor.calls) == (2 / 60, ("component/llm",))
    assert estate.components["component/llm"].templates == ()
    sales, mail = estate.told.pipelines
    assert (sales.edges, sales.fresh_by) == (None, "06:00")
    assert mail.edges == (("snowflake/mart", "power_automate/mail"),)
    assert estate.told.maintenance[0].start == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert estate.told.holidays == (date(2026, 12, 25),)
    assert estate.told.muted == ("power_automate/sweep",)


def test_on_and_off_stay_words(tmp_path: Path) -> None:
    estate = load("id: on\njobs:\n  airbyte/a: {name: off, owner: yes, schedule: none}\n", tmp_path)
    job = estate.jobs["airbyte/a"]
    assert (estate.id, job.name, job.owner, job.schedule) == ("on", "off", "yes", None)


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ("{schedul: x}", "file.yaml:4: jobs.airbyte/a.schedul: unknown word; did you mean 'schedule'?; al"),
        ("{schedule: \"0 25 * * *\"}", "jobs.airbyte/a.schedule: '0 25 * * *' is not a cron expression"),
        ("{schedule: \"0 0 2 * * *\"}", "it has to have five fields"),
        ("{schedule: \"0 2 30 2 *\"}", "is not a cron expression"),
        ("{duration: 12}", "expected a duration such as 90s, 12m, 1h30m or 2d, found '12'"),
        ("{duration: -5m}", "expected a duration"),
        ("{duration: 0s}", "longer than nothing"),
        ("{duration: 900d}", "longer than 400d"),
        ("{spread: wide}", "expected a number, found 'wide'"),
        ("{spread: 7}", "7 is outside 0 to 2"),
        ("{rows: 1.5}", "expected a whole number, found '1.5'"),
        ("{rows: \"10\"}", "expected a whole number"),
        ("{retries: -1}", "-1 is outside 0 to 20"),
        ("{timezone: Europe/Berln}", "not an IANA time zone; did you mean Europe/Berlin?"),
        ("{weekly: {monday: 2}}", "jobs.airbyte/a.weekly.monday: unknown word; did you mean 'mon'?"),
        ("{after: [airbyte/b]}", "no such job 'airbyte/b'; did you mean 'airbyte/a'?"),
        ("{after: airbyte/a}", "airbyte/a waits for itself"),
        ("{every: 1h, schedule: \"0 2 * * *\"}", "either schedule or every, not both"),
        ("{every: 10s}", "more often than once a minute"),
        ("{name: [a]}", "expected text (put it in quotes if it is meant as text), found a list"),
        ("{name: true}", "expected text"),
        ("{name: a, name: b}", "stands twice, first in line 4"),
        ("[]", "expected a mapping, found a list"),
        ("~", "expected a mapping, found nothing"),
    ],
)  # fmt: skip
def test_a_wrong_job_is_named_with_file_line_and_key(job: str, expected: str, tmp_path: Path) -> None:
    assert expected in complaint(f"id: x\njobs:\n  # a comment\n  airbyte/a: {job}\n", tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "file.yaml:1: the file is empty"),
        ("jobs: [", "not YAML"),
        ("id: x\nid: y\njobs: {}\n", "file.yaml:2: id: stands twice, first in line 1"),
        ("id: x\n", "file.yaml:1: lacks 'jobs'"),
        ("id: x\njobs: {}\n", "an estate needs at least one job"),
        ("id: x\njobs: {airbite/a: {}}", "unknown platform 'airbite'; did you mean 'airbyte'?"),
        ("id: x\njobs: {orders: {}}", "unknown platform 'orders'"),
        ("id: x\njobs: {airbyte/a b: {}}", "a job is named <platform>/<key>"),
        (HEAD + "components: {extractor: {}}", "a component is named component/<name>"),
        (HEAD + "components: {component/e: {rate: 40}}", "expected a rate such as 40/m"),
        (HEAD + "components: {component/e: {calls: [llm]}}", "a component calls components"),
        (HEAD + "told: {muted: [airbyte/b]}", "'airbyte/b' is not in the estate 'x'"),
        (
            HEAD + "told: {maintenance: [{on: airbyte, from: 2026-03-01T00:00:00, to: x}]}",
            "2026-03-01T00:00:00 has no zone",
        ),
        (
            HEAD
            + "told: {maintenance: [{on: airbyte, from: 2026-03-01T02:00:00Z, to: 2026-03-01T01:00:00Z}]}",
            "told.maintenance[0].to: it ends before it begins",
        ),
        (HEAD + "told: {holidays: [christmas]}", "expected a date such as 2026-12-25"),
        (
            HEAD + "told: {pipelines: [{name: p, jobs: [airbyte/a], fresh_by: 25:00}]}",
            "expected a time of day",
        ),
        (
            HEAD + "told: {pipelines: [{name: p, jobs: [airbyte/a], edges: manual}]}",
            "unknown word 'manual'; allowed: auto",
        ),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_with_line_and_key(text: str, expected: str, tmp_path: Path) -> None:
    assert expected in complaint(text, tmp_path)


def test_a_circle_of_jobs_is_refused(tmp_path: Path) -> None:
    text = "id: x\njobs:\n  airbyte/a: {after: [airbyte/c]}\n  airbyte/b: {after: airbyte/a}\n"
    assert "waits for itself" in complaint(text + "  airbyte/c: {after: airbyte/b}\n", tmp_path)


def test_a_file_that_refers_to_itself_is_refused(tmp_path: Path) -> None:
    assert "jobs" in complaint("id: x\njobs: &a {airbyte/a: *a}\n", tmp_path)


def test_an_unknown_estate_lists_the_shipped_ones() -> None:
    with pytest.raises(LabError, match="no estate 'audits'"):
        load_estate("audits")


def test_an_estate_is_found_by_its_path(tmp_path: Path) -> None:
    shop(tmp_path)
    assert load_estate(tmp_path / "shop.yaml").id == "shop"
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LabError, match="not YAML"):
        load_estate(tmp_path / "bytes.yaml")
