"""Airbyte's notifications by webhook: a sync that ended.

Facts: airbyte-platform, the notification client: ``{"text", "blocks", "data"}``, ``data`` a sync summary.
Nothing is signed: the secret is the end of the address that Airbyte is given.
"""

from typing import Any, cast

from dogwatch.hooks.base import Heard, Hook, HookSettings, Post, Refused, read_object
from dogwatch.model.text import one_line


class AirbyteSettings(HookSettings):
    """Who may call."""


class Airbyte(Hook[AirbyteSettings]):
    """Takes what Airbyte says when a sync has ended."""

    Settings = AirbyteSettings
    title = "Airbyte"

    def hear(self, post: Post) -> Heard:
        """Which sync ended, and how. Raises Refused."""
        self.shown(post)
        told = read_object(post.body)
        data: Any = told.get("data")
        if data is None and isinstance(told.get("text"), str):
            return Heard(key="", says="a test message", ignored=True)
        if not isinstance(data, dict):
            raise Refused(400, "this is not what Airbyte sends: data is missing")
        summary = cast("dict[str, Any]", data)
        connection: Any = summary.get("connection")
        named = cast("dict[str, Any]", connection) if isinstance(connection, dict) else {}
        job = summary.get("jobId")
        if not named.get("id") or job is None:
            raise Refused(400, "this is not what Airbyte sends: the connection or the job is missing")
        good = summary.get("success", summary.get("isSuccess"))
        end = str(summary.get("finishedAt") or "")
        how = "ended well" if good else "failed"
        return Heard(
            key=f"{named['id']}/{job}/{end}"[:500],
            says=one_line(f"sync {job} of {named.get('name') or named['id']} {how}", 200),
        )
