"""Rows of a hub: one key, texts that every database takes, checksums that both sides make alike."""

import json
from datetime import timedelta
from uuid import UUID

import pytest

from dogwatch import hub
from dogwatch.errors import SettingsError
from dogwatch.hub.rows import (
    checksum,
    digest,
    documents,
    encoded,
    first_document,
    health_rows,
    incident_row,
    round_row,
    run_row,
)
from dogwatch.hub.tables import HEALTH_ASSESSMENTS, INCIDENTS, JOB_STATUS, ROUNDS, TABLES
from dogwatch.model import Status
from support.clock import NOON
from support.hubs import HEALTH, an_incident, attempts

RECORD = (
    *("job_id", "platform", "job_name", "status", "last_run_time"),
    *("duration_seconds", "error_message", "metadata", "checked_at"),
)
"""The columns of a job status record, as audit tables have them."""
(RUN,) = attempts([3], Status.failed)
BODY = {
    "findings": [{}, {}],
    "platforms": [{"instance": "airbyte"}],
    "health": [{**HEALTH, "at": NOON.isoformat()}],
}


def test_job_status_holds_every_column_of_a_job_status_record_first() -> None:
    names = [column.name for column in JOB_STATUS.columns]
    assert tuple(names[1 : len(RECORD) + 1]) == RECORD


def test_every_row_has_the_columns_of_its_table_and_a_uuid() -> None:
    rows = {
        JOB_STATUS: run_row(RUN),
        INCIDENTS: incident_row(an_incident(1)),
        ROUNDS: round_row(1, NOON, None, None, {}),
        HEALTH_ASSESSMENTS: next(health_rows(1, NOON, BODY)),
    }
    for table in TABLES:
        assert list(rows[table]) == [column.name for column in table.columns]
        UUID(rows[table]["uid"])
        assert set(table.newer) <= set(rows[table])


def test_a_store_that_was_lost_begins_with_round_1_again_and_overwrites_nothing() -> None:
    first, again = round_row(1, NOON, NOON, 0, {}), round_row(1, NOON + timedelta(hours=1), NOON, 0, {})
    assert first["uid"] != again["uid"]
    assert incident_row(an_incident(1))["uid"] == incident_row(an_incident(1, version=2))["uid"]


def test_what_is_read_again_without_a_change_has_the_same_digest_and_every_change_another() -> None:
    row = run_row(RUN)
    assert digest(JOB_STATUS, {**row, "checked_at": NOON + timedelta(days=1)}) == digest(JOB_STATUS, row)
    for column in JOB_STATUS.compared:
        other = {"text": "other", "int": 7_000, "time": NOON + timedelta(days=9), "flag": False, "json": None}
        assert digest(JOB_STATUS, {**row, column.name: other[column.kind]}) != digest(JOB_STATUS, row), column
    assert digest(JOB_STATUS, {**row, "url": None}) != digest(JOB_STATUS, {**row, "url": ""})


def test_the_checksum_of_a_bucket_knows_no_order_of_arrival() -> None:
    assert checksum([("b", "2"), ("a", "1")]) == checksum([("a", "1"), ("b", "2")]) != checksum([("a", "1")])


def test_documents_are_json_of_bounded_size_and_a_large_row_stands_alone() -> None:
    rows = [run_row(run) for run in attempts(range(10))]
    rows[4]["error_message"] = "x" * 10_000
    size = len(encoded(rows[0]))
    found = [json.loads(text) for text in documents(rows, 3 * size + 50)]
    assert [len(one) for one in found] == [3, 1, 1, 3, 2]
    assert [row["native_run_id"] for one in found for row in one] == [str(number) for number in range(10)]
    assert first_document(rows, 3 * size + 50)[1] == 3
    assert list(documents([], 100)) == []


def test_no_database_chokes_on_null_bytes_or_numbers_that_are_none() -> None:
    row = {**run_row(RUN), "metadata": {"a\x00": ["\x00", "\\u0000"]}, "metrics": {"rows": float("nan")}}
    told = json.loads(encoded(row))
    assert told["metadata"] == {"a\ufffd": ["\ufffd", "\\u0000"]}
    assert told["metrics"] == {"rows": None}


def test_a_hub_is_found_by_its_name_and_the_nearest_is_suggested() -> None:
    assert hub.names() == ["postgres", "snowflake"]
    with pytest.raises(SettingsError) as caught:
        hub.load("postgre")
    assert caught.value.hint == "did you mean postgres?"
