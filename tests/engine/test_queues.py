"""Queues that fail; those that do not are in tests/real/test_queue.py."""

import asyncio
from pathlib import Path

import pytest

from dogwatch.app import Dogwatch
from dogwatch.engine.queues import Queues
from dogwatch.errors import SettingsError
from dogwatch.settings import Settings, load
from support.clock import JumpingClock


def settings(folder: Path, queue: str, **keys: str) -> Settings:
    (folder / "dogwatch.yaml").write_text(
        f"connectors:\n  s3: {{bucket: acme-logs, url: 'http://127.0.0.1:1', queue: '{queue}'}}\n"
        "  other: {kind: s3, bucket: acme-logs, url: 'http://127.0.0.1:1'}\n",
        encoding="utf-8",
    )
    return load(folder / "dogwatch.yaml", keys, folder)


KEYS = {"DOGWATCH_S3_ACCESS_KEY_ID": "AKIA", "DOGWATCH_S3_SECRET_ACCESS_KEY": "hush"}


def test_a_queue_that_cannot_be_read_is_told_once_and_tried_again(tmp_path: Path) -> None:
    found = settings(tmp_path, "http://127.0.0.1:1/1/logs", **KEYS)
    clock, said, twice = JumpingClock(), list[tuple[str, object]](), asyncio.Event()

    def say(event: str, /, **fields: object) -> None:
        said.append((event, fields["connector"]))

    class Again(JumpingClock):
        """Notices when somebody waits for the second time."""

        waits = 0

        async def sleep(self, seconds: float) -> None:
            self.waits += seconds == 60.0
            if self.waits == 2:
                twice.set()
            await super().sleep(seconds)

    async def life() -> list[str]:
        async with Dogwatch(found, clock=clock) as app:
            names = app.watchkeeping().queues()
            queues = Queues(app, names, Again(), say)
            queues.follow()
            async with asyncio.timeout(20):
                await twice.wait()
            await queues.stop()
            return names

    assert asyncio.run(life()) == ["s3"]
    assert said == [("queue failed", "s3")]


@pytest.mark.parametrize("queue", ["sqs", "ftp://sqs/1/logs", "https://sqs", "https://eve@sqs/1/logs"])
def test_what_is_no_queue_is_refused(tmp_path: Path, queue: str) -> None:
    with pytest.raises(SettingsError, match="queue: is no URL of a queue"):
        settings(tmp_path, queue, **KEYS)


def test_a_queue_needs_keys(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="queue needs access_key_id and secret_access_key"):
        settings(tmp_path, "https://sqs.eu-central-1.amazonaws.com/1/logs")
