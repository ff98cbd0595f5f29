"""Logs in buckets and in Cloud Logging, read by the commands that read files."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dogwatch.cli.logs_reading import following
from dogwatch.errors import SettingsError
from dogwatch.lab.clock import SimulatedClock
from dogwatch.lab.estate import Component
from dogwatch.lab.lines import Lines
from dogwatch.lab.twin import twin_class
from dogwatch.lab.world import World
from dogwatch.logsource import LogSource, open_source
from dogwatch.settings import Settings
from support.cli import run
from support.clock import NOON, JumpingClock
from support.stage import Host, hosting

HOUR = timedelta(hours=1)
TEMPLATES = (
    "served {doc} in {ms} ms",
    "ERROR upload of {doc} failed: quota",
    "WARNING slow answer from {ip}",
)
PLACES = {
    "gcs": "gs://shop-prod-logs/run.googleapis.com/",
    "s3": "s3://shop-prod-container-logs/ecs/",
    "cloud_logging": "logging://shop-prod",
}


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with hosting() as found:
        yield found


def staged(kind: str, host: Host) -> tuple[World, dict[str, str]]:
    """A world whose one component logs on this platform, and the variables by which it is reached."""
    parts = {"component/api": Component("component/api", kind, 0.2, TEMPLATES)}
    told = World(
        "shop", "UTC", {}, [], SimulatedClock(NOON), components=parts, seed=5, start=NOON - 6 * HOUR, end=NOON
    )
    twin = twin_class(kind)(told)
    host.app = twin.app()
    given = {**twin.settings(host.url), **twin.credentials()}
    words = {name: value for name, value in given.items() if isinstance(value, str)}
    return told, {f"DOGWATCH_{kind.upper()}_{name.upper()}": value for name, value in words.items()}


def texts(source: LogSource) -> list[str]:
    return [json.dumps(json.loads(line)) for file in source.files() for line in lines_of(source, file)]


def lines_of(source: LogSource, file: Any) -> list[bytes]:
    import gzip

    body = b"".join(source.chunks(file))
    return (gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body).splitlines()


@pytest.mark.parametrize("kind", PLACES)
def test_every_line_comes_once_wherever_it_is_kept(kind: str, host: Host) -> None:
    told, environ = staged(kind, host)
    since = None if kind != "cloud_logging" else 5 * HOUR
    with open_source(PLACES[kind], None, environ, since, JumpingClock()) as source:
        found = texts(source)
    assert len(found) == len(set(found))
    settled = NOON - 3 * HOUR
    kept = [one for one in Lines(told).between(NOON - 4 * HOUR, settled) if one.received < settled]
    assert len(kept) > 400
    whole = "\n".join(found)
    assert all(one.text in whole for one in kept)


def test_objects_that_were_not_written_lately_are_left_out(host: Host) -> None:
    _, environ = staged("s3", host)
    with open_source(PLACES["s3"], None, environ, HOUR, JumpingClock()) as source:
        lately = source.files()
    with open_source(f"{PLACES['s3']}*/11-*.gz", None, environ, None, JumpingClock()) as source:
        chosen = source.files()
    assert 3 <= len(lately) <= 5
    assert [one.name[-17:] for one in chosen] == [f"03/11-{minute:02d}.jsonl.gz" for minute in (0, 15, 30)]
    assert all(one.size for one in chosen)


@pytest.mark.parametrize("kind", ["gcs", "s3"])
def test_a_bucket_is_mined_and_triaged_like_a_file(
    kind: str, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, environ = staged(kind, host)
    monkeypatch.chdir(tmp_path)
    told = json.loads(run("logs", "mine", PLACES[kind], "--format", "json", env=environ).stdout)
    assert {one["template"] for one in told["templates"]} == {
        "served <*>.tiff in <*> ms",
        "upload of <*>.tiff failed: quota",
        "slow answer from <*>",
    }
    report = json.loads(run("logs", "triage", PLACES[kind], "--format", "json", env=environ).stdout)
    assert [error["severity"] for error in report["errors"]] == ["ERROR"]
    assert report["errors"][0]["component"] == "api"


def test_the_connector_that_reads_the_bucket_opens_it(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, environ = staged("gcs", host)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dogwatch.yaml").write_text(
        f"connectors:\n  archive:\n    kind: gcs\n    bucket: shop-prod-logs\n    url: {host.url}\n"
        "log_components:\n  front-door: served|slow\n"
    )
    secret = {"DOGWATCH_ARCHIVE_ACCESS_TOKEN": environ["DOGWATCH_GCS_ACCESS_TOKEN"]}
    told = run("logs", "triage", PLACES["gcs"], "--format", "json", env=secret)
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout)["errors"][0]["component"] == "api"
    (tmp_path / "app.log").write_text("2026-11-20 02:04:05,000 - x - ERROR - slow: served nothing\n")
    told = run("logs", "triage", "app.log", "--format", "json", env=secret)
    assert json.loads(told.stdout)["errors"][0]["component"] == "front-door"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://shop-prod-container-logs/nothing/", "there is no object"),
        ("s3://no such bucket/x", "cannot be read"),
        ("gs:///x", "names no place with logs"),
        ("ftp://host/x", "names no place with logs"),
    ],
)
def test_a_place_that_is_not_there_is_an_error_with_a_way_out(
    url: str, words: str, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, environ = staged("s3", host)
    monkeypatch.chdir(tmp_path)
    told = run("logs", "mine", url, env=environ)
    assert isinstance(told.exception, SettingsError) or told.exit_code == 2
    shown = f"{told.exception} {told.stderr}"
    assert words in shown
    assert environ["DOGWATCH_S3_SECRET_ACCESS_KEY"] not in shown


def test_the_settings_of_another_bucket_lend_their_credentials(host: Host) -> None:
    _, environ = staged("gcs", host)
    from dogwatch.connectors import load
    from dogwatch.settings.model import ConnectorConfig

    other = load("gcs").Settings.model_validate(
        {"bucket": "other", "url": host.url, "access_token": environ["DOGWATCH_GCS_ACCESS_TOKEN"]}
    )
    settings = Settings(connectors={"gcs": ConnectorConfig(name="gcs", kind="gcs", settings=other)})
    with open_source(PLACES["gcs"], settings, {}, HOUR, JumpingClock()) as source:
        assert source.files()


def test_what_follows_a_project_brings_each_entry_once(host: Host) -> None:
    _, environ = staged("cloud_logging", host)
    clock = JumpingClock(NOON - HOUR)
    with open_source(PLACES["cloud_logging"], None, environ, HOUR, clock) as source:
        first = b"".join(source.fresh()).splitlines()
        clock.move(HOUR / 2)
        second = b"".join(source.fresh()).splitlines()
    assert len(first) > 100
    assert len(second) > 100
    assert not set(first) & set(second)


def test_a_file_that_was_rotated_or_emptied_is_followed_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("one\n")
    with following(str(path), None) as (fresh, _):
        assert b"".join(fresh()) == b"one\n"
        path.rename(tmp_path / "app.log.1")
        assert b"".join(fresh()) == b""
        path.write_text("two\n")
        assert b"".join(fresh()) == b"two\n"
        path.write_text("3\n")
        assert b"".join(fresh()) == b"3\n"


@pytest.mark.parametrize("path", ["gs://bucket/x", "no-such-file"])
def test_what_cannot_be_followed_is_said(path: str) -> None:
    with pytest.raises(SettingsError, match=r"followed|no file"), following(path, None):
        pass
