"""The words for faults: every one is read, and every mistake is named."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dogwatch.errors import LabError
from dogwatch.lab.faults import KINDS, platform_faults, targets
from support.estates import faults, shop

AT = "at: 2026-03-03T02:00:00Z"
EVERY_WORD: dict[str, tuple[str, dict[str, Any]]] = {
    "run_fails": ("on: airbyte/orders, error: boom, after: 0.4", {"error": "boom", "after": 0.4}),
    "run_cancelled": ("on: airbyte/orders, error: stopped", {"error": "stopped"}),
    "run_timed_out": ("on: airbyte, error: too long", {"error": "too long"}),
    "run_hangs": ("on: airbyte/orders", {}),
    "run_slow": ("on: airbyte/orders, factor: 3", {"factor": 3.0}),
    "run_missing": ("on: airbyte/orders", {}),
    "run_late": ("on: airbyte/orders, by: 45m", {"by": timedelta(minutes=45)}),
    "run_duplicated": ("on: airbyte/orders", {}),
    "zero_rows": ("on: airbyte/orders", {}),
    "row_drop": ("on: airbyte/orders, factor: 0.2", {"factor": 0.2}),
    "flapping": ("on: airbyte/orders, every: 2, error: boom", {"every": 2, "error": "boom"}),
    "schema_change": ("on: airbyte/orders, column: id, error: gone", {"column": "id", "error": "gone"}),
    "upstream_skipped": ("on: snowflake/load", {}),
    "schedule_changed": ('on: airbyte/orders, cron: "0 5 * * *"', {"cron": "0 5 * * *"}),
    "paused": ("on: airbyte/orders", {}),
    "platform_down": ("on: airbyte, status: refuses", {"status": "refuses"}),
    "platform_slow": ("on: airbyte, seconds: 40", {"seconds": 40.0}),
    "auth_revoked": ("on: airbyte, status: 403", {"status": 403}),
    "rate_limited": ("on: airbyte, retry_after: 30", {"retry_after": 30}),
    "bad_payload": ("on: airbyte, shape: html", {"shape": "html"}),
    "clock_skew": ("on: airbyte, by: -7m", {"by": timedelta(minutes=-7)}),
    "log_surge": ("component: component/extractor, line: x, severity: ERROR, rate: 5/s", {"rate": 5.0}),
    "log_new": ("on: component/llm, line: 'x {n}', rate: 9", {"line": "x {n}", "rate": 9.0}),
    "log_injection": ("on: component/extractor, line: ignore it", {"line": "ignore it"}),
    "metric_shift": ("on: component/llm, metric: latency, factor: 4", {"metric": "latency", "factor": 4.0}),
    "deploy": ("version: 1.40, breaks: [airbyte/orders], error: no", {"version": "1.40", "error": "no"}),
}


def test_every_word_of_the_contract_has_an_example() -> None:
    assert EVERY_WORD.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_with_all_its_fields(kind: str, tmp_path: Path) -> None:
    text, fields = EVERY_WORD[kind]
    fault = faults(f"- {{{AT}, kind: {kind}, {text}}}", shop(tmp_path), tmp_path)[0]
    assert fault.kind == kind
    assert {word: fault.fields[word] for word in fields} == fields
    assert fault.at == datetime(2026, 3, 3, 2, tzinfo=UTC)
    assert fault.strikes(fault.at)
    assert not fault.strikes(fault.at - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{AT}, on: airbyte/orders", "faults.yaml:1: [0]: lacks 'kind'; allowed: run_fails, run_cancelled"),
        (f"{AT}, on: airbyte/orders, kind: run_fail", "unknown word 'run_fail'; did you mean 'run_fails'?"),
        (f"{AT}, on: airbyte/orders, kind: run_hangs, error: x", "[0].error: unknown word; allowed: at,"),
        (f"{AT}, on: airbyte/order, kind: run_hangs", "'airbyte/order' is not in the estate 'shop'; did"),
        (f"{AT}, on: component/llm, kind: run_hangs", "'component/llm' is not in the estate"),
        (f"{AT}, on: airbyte/orders, kind: platform_down", "platform_down strikes a platform: write airbyte"),
        (f"{AT}, kind: run_hangs", "lacks 'on'"),
        ("on: airbyte/orders, kind: run_hangs", "lacks 'at'"),
        ("at: 2026-03-03T02:00:00, on: airbyte/orders, kind: run_hangs", "2026-03-03T02:00:00 has no zone"),
        ("at: yesterday, on: airbyte/orders, kind: run_hangs", "expected a time such as 2026-03-03"),
        (f"{AT}, until: 2026-03-03T02:00:00Z, on: airbyte/orders, kind: run_hangs", "ends before it begins"),
        (f"{AT}, on: airbyte/orders, kind: run_slow", "lacks 'factor'"),
        (f"{AT}, on: airbyte/orders, kind: run_slow, factor: twice", "expected a number"),
        (f"{AT}, on: airbyte/orders, kind: run_late, by: 45", "expected a duration"),
        (f"{AT}, on: airbyte, kind: platform_down, status: 404", "404 is outside 500 to 599"),
        (f"{AT}, on: airbyte, kind: platform_down, status: refused", "did you mean 'refuses'?"),
        (f"{AT}, on: airbyte, kind: auth_revoked, status: 402", "allowed: 401, 403"),
        (f"{AT}, on: airbyte, kind: bad_payload, shape: broken", "allowed: truncated, html, empty"),
        (f"{AT}, on: snowflake/load, kind: schedule_changed, cron: 0 5 * * *", "load has no schedule"),
        (f"{AT}, on: component/llm, kind: metric_shift, metric: speed, factor: 2", "allowed: latency"),
        (f"{AT}, component: component/extracter, kind: log_new, line: x", "no such component"),
        (f"{AT}, kind: deploy, breaks: [airbyte/nothing]", "'airbyte/nothing' is not in the estate"),
    ],
)  # fmt: skip
def test_a_wrong_fault_says_what_would_be_right(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(LabError) as caught:
        faults(f"- {{{text}}}", shop(tmp_path), tmp_path)
    assert expected in caught.value.message


def test_a_fault_of_jobs_on_a_platform_strikes_all_its_jobs(tmp_path: Path) -> None:
    estate = shop(tmp_path)
    fault = faults(f"- {{{AT}, on: snowflake, kind: run_fails}}", estate, tmp_path)[0]
    assert [spec.job for spec in targets(fault, estate)] == ["snowflake/load", "snowflake/mart"]


def test_a_schema_change_strikes_those_who_consume_it(tmp_path: Path) -> None:
    estate = shop(tmp_path)
    struck = [
        [spec.job for spec in targets(fault, estate)]
        for fault in faults(
            f"- {{{AT}, on: snowflake/load, kind: schema_change}}\n"
            f"- {{{AT}, on: databricks/hourly, kind: schema_change}}\n",
            estate,
            tmp_path,
        )
    ]
    assert struck == [["snowflake/mart", "databricks/daily"], ["databricks/hourly"]]


def test_faults_of_platforms_go_to_the_world_with_their_fields(tmp_path: Path) -> None:
    text = (
        f"- {{{AT}, on: airbyte, kind: rate_limited, retry_after: 2m}}\n- {{{AT}, on: airbyte, kind: paused}}"
    )
    found = platform_faults(faults(text, shop(tmp_path), tmp_path))
    assert [(fault.platform, fault.kind, dict(fault.fields)) for fault in found] == [
        ("airbyte", "rate_limited", {"retry_after": timedelta(minutes=2)})
    ]
