"""check, doctor and runs as a person types them, over sockets, against platforms of the lab."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dogwatch.lab.serve import Lab
from support.cli import run
from support.estates import faults, shop, world

Break = Callable[[str], None]


@pytest.fixture(scope="module")
def now() -> datetime:
    """The command line lives in real time, so the lab has to as well."""
    return datetime.now(UTC)


@pytest.fixture
def breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime) -> Iterator[Break]:
    """Serves the shop with faults and writes the configuration that reads it into the current folder."""
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:

        def serve(text: str) -> None:
            estate = shop(tmp_path)
            lab = Lab(world(estate, faults(text, estate, tmp_path) if text else (), now=now))
            urls = stack.enter_context(lab.serve())
            lab.write_config(tmp_path, urls, history_days=3)

        yield serve


def hours_ago(now: datetime, hours: int) -> str:
    return datetime.fromtimestamp(now.timestamp() - 3600 * hours, UTC).isoformat()


def stock_fails(now: datetime) -> str:
    error = "no such table: stock"
    return f"- {{at: '{hours_ago(now, 3)}', on: airbyte/stock, kind: run_fails, error: '{error}'}}\n"


def databricks_is_locked(now: datetime) -> str:
    return f"- {{at: '{hours_ago(now, 1)}', on: databricks, kind: auth_revoked}}\n"


def check_json() -> tuple[int, dict[str, Any]]:
    told = run("check", "--format", "json")
    assert told.stderr == ""
    return told.exit_code, json.loads(told.stdout)


def test_all_is_well_is_0(breaks: Break) -> None:
    breaks("")
    code, report = check_json()
    assert (code, report["exit_code"], report["findings"]) == (0, 0, [])
    assert all(platform["baseline"] for platform in report["platforms"])
    jobs = {platform["instance"]: platform["jobs"] for platform in report["platforms"]}
    assert all(jobs[name] for name in ("airbyte", "databricks"))


def test_a_failing_job_is_1_and_its_error_is_on_the_board(breaks: Break, now: datetime) -> None:
    breaks(stock_fails(now))
    told = run("check")
    assert told.exit_code == 1
    assert "no such table: stock" in told.stdout
    assert "dogwatch runs --platform airbyte --job" in told.stdout
    again = run("check")
    assert again.exit_code == 1
    assert "· new" not in again.stdout


def test_a_blind_platform_is_3_and_the_others_are_whole(breaks: Break, now: datetime) -> None:
    breaks(databricks_is_locked(now))
    code, report = check_json()
    assert (code, report["exit_code"]) == (3, 3)
    sights = {platform["instance"]: platform["sight"] for platform in report["platforms"]}
    assert sights.pop("databricks") == "blind"
    assert set(sights.values()) == {"clear"}
    shown = run("check").stdout
    assert "BLIND    Databricks not readable since" in shown
    assert "dogwatch doctor databricks" in shown


def test_a_failing_job_beside_a_blind_platform_is_1(breaks: Break, now: datetime) -> None:
    breaks(stock_fails(now) + databricks_is_locked(now))
    assert check_json()[0] == 1


def test_a_configuration_that_is_wrong_is_2(breaks: Break) -> None:
    breaks("")
    with Path("dogwatch.yaml").open("a") as file:
        file.write("histroy_days: 3\n")
    told = run("check", "--format", "json")
    assert (told.exit_code, told.stdout) == (2, "")
    assert "did you mean history_days?" in told.stderr


def test_markdown_tells_the_same_story(breaks: Break, now: datetime) -> None:
    breaks(stock_fails(now) + databricks_is_locked(now))
    told = run("check", "--format", "md")
    assert told.exit_code == 1
    assert told.stdout.startswith("# dogwatch: 1 incident · 1 platform blind · ")
    assert "no such table: stock" in told.stdout


def test_the_doctor_tells_who_is_well_and_what_to_do_with_the_others(breaks: Break, now: datetime) -> None:
    breaks(databricks_is_locked(now))
    told = run("doctor")
    assert told.exit_code == 3
    assert "○ airbyte" in told.stdout
    assert "reachable, authenticated, permitted" in told.stdout
    assert "◐ databricks" in told.stdout
    assert "next" in told.stdout
    assert run("doctor", "airbyte").exit_code == 0
    by_name = json.loads(run("doctor", "--format", "json").stdout)["connectors"]
    assert {one["instance"]: one["fault"] for one in by_name}["databricks"] == "credentials"


def test_the_doctor_does_not_know_a_name_that_is_not_configured(breaks: Break) -> None:
    breaks("")
    told = run("doctor", "airbite")
    assert told.exit_code == 2
    assert "no connector is called 'airbite'" in told.stderr


def test_runs_are_filtered_by_platform_job_status_and_since(breaks: Break, now: datetime) -> None:
    breaks(stock_fails(now))
    assert run("check").exit_code == 1

    def listed(*args: str) -> list[dict[str, Any]]:
        told = run("runs", "--format", "json", *args)
        assert told.exit_code == 0, told.stderr
        return list(json.loads(told.stdout)["runs"])

    everything = listed("--limit", "10000")
    assert {run["platform"] for run in everything} >= {"airbyte", "databricks"}
    assert [run["started_at"] for run in listed("--limit", "3")] == [
        run["started_at"] for run in everything[:3]
    ]
    assert {run["platform"] for run in listed("--platform", "airbyte")} == {"airbyte"}
    failed = listed("--status", "failed", "--status", "timed_out")
    assert failed
    assert {run["error_message"] for run in failed} == {"no such table: stock"}
    assert listed("--job", failed[0]["job_id"], "--limit", "1000") == listed(
        "--job", failed[0]["job_name"].upper(), "--platform", "airbyte", "--limit", "1000"
    )
    recent = listed("--since", "90m", "--limit", "10000")
    assert 0 < len(recent) < len(everything)
    shown = run("runs", "--status", "failed").stdout
    assert "● failed" in shown
    assert "no such table: stock" in shown


@pytest.mark.parametrize("since", ["yesterday", "5y", "2026-13-01", "999999w"])
def test_a_time_that_is_none_is_told_with_examples(breaks: Break, since: str) -> None:
    breaks("")
    told = run("runs", "--since", since)
    assert told.exit_code == 2
    assert "2026-11-20T02:00" in told.stderr


def test_no_secret_is_in_anything_that_is_written(breaks: Break, now: datetime, tmp_path: Path) -> None:
    breaks(stock_fails(now) + databricks_is_locked(now))
    secrets = [line.partition("=")[2].strip('"') for line in (tmp_path / ".env").read_text().splitlines()]
    shown = ""
    for args in (
        ["check"],
        ["check", "--format", "json"],
        ["check", "--format", "md"],
        ["doctor", "-v"],
        ["runs"],
    ):
        told = run(*args)
        shown += told.stdout + told.stderr
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("dogwatch.db*"))
    for secret in secrets:
        assert secret not in shown
        assert secret.encode() not in stored
    assert len(secrets) >= 2
