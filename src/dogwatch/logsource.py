"""Logs that are not on this disk, for the commands that read logs.

``gs://bucket/prefix`` and ``s3://bucket/prefix`` are the objects whose names begin so (with ``*``, ``?`` and
``[…]`` as in a shell), ``logging://project`` is what Cloud Logging received lately. The way in is that of the
connector in dogwatch.yaml which reads that bucket or project, else of any of its kind, else by the variables
that the vendors' own tools read.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from tempfile import SpooledTemporaryFile
from typing import IO, Any, TypeVar, cast

from pydantic import ValidationError

from dogwatch.connectors import load
from dogwatch.errors import SettingsError
from dogwatch.settings import Settings
from dogwatch.settings.model import variable
from dogwatch.wire.answer import describe
from dogwatch.wire.clock import Clock
from dogwatch.wire.connector import AnyConnector, ConnectorSettings, HasCaveats, HasFiles, HasLogs, LogAsk
from dogwatch.wire.http import Doors
from dogwatch.wire.unread import Object

T = TypeVar("T")

_PLACES = {"gs": ("gcs", "bucket"), "s3": ("s3", "bucket"), "logging": ("cloud_logging", "project")}
"""By scheme: the connector that reads it, and its setting that the host of the URL fills."""
_URL = re.compile(r"(gs|s3|logging)://([^/]+)/?(.*)", re.DOTALL)
_PATTERN = re.compile(r"[*?\[]")
_IN_MEMORY = 8 << 20
_PIECE = 1 << 18
DEFAULT_SINCE = timedelta(hours=1)
"""How far back Cloud Logging is read if nobody says."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One object, or the entries of one project."""

    name: str
    size: int
    """Bytes; 0 if nobody knows."""
    object: Object | None


class LogSource:
    """One place with logs; ``open_source`` makes it. Plain iteration outside, a loop of its own inside."""

    def __init__(
        self, connector: AnyConnector, url: str, rest: str, since: timedelta | None, runner: asyncio.Runner
    ) -> None:
        self._connector = connector
        self._url = url
        self._rest = rest
        self._since = since
        self._runner = runner
        self._cursor = ""

    def files(self) -> list[RemoteFile]:
        """What is there, in order of the names. Raises the connector's error, or SettingsError if it is
        nothing."""
        connector = self._connector
        if not isinstance(connector, HasFiles):
            return [RemoteFile(self._url, 0, None)]
        pattern = _PATTERN.search(self._rest)
        prefix = self._rest[: pattern.start()] if pattern else self._rest
        found = self._runner.run(_found(connector, prefix))
        begin = None if self._since is None else connector.doors.clock.now() - self._since
        chosen = [
            one
            for one in sorted(found, key=lambda one: one.name)
            if (pattern is None or fnmatchcase(one.name, self._rest))
            and (begin is None or one.written is None or one.written >= begin)
            and not one.name.endswith("/")
        ]
        if not chosen:
            raise SettingsError(
                f"there is no object {self._url}", "name the beginning of its name, or a pattern in quotes"
            )
        place = self._url[: len(self._url) - len(self._rest)]
        return [RemoteFile(f"{place}{one.name}", one.size, one) for one in chosen]

    def chunks(self, file: RemoteFile) -> Iterator[bytes]:
        """Its bytes, cut anywhere. Raises the connector's error."""
        connector = self._connector
        if file.object is not None and isinstance(connector, HasFiles):
            yield from self._drawn(connector.read(file.object))
        elif isinstance(connector, HasLogs):
            yield from self.fresh()
            while isinstance(connector, HasCaveats) and self._runner.run(_told(connector)):
                yield from self.fresh()  # it stopped because of its quota

    def fresh(self) -> Iterator[bytes]:
        """The entries that were received since this was asked last."""
        now = self._connector.doors.clock.now()
        ask = LogAsk(now, self._cursor, now - (self._since or DEFAULT_SINCE))
        self._cursor = yield from self._entries(ask)

    def _entries(self, ask: LogAsk) -> Generator[bytes, None, str]:
        """What is to be read since a cursor; returns the next one. A window that was given up half-way is
        left out: it comes again."""
        connector, cursor = cast("HasLogs", self._connector), ask.cursor
        with SpooledTemporaryFile(_IN_MEMORY) as spool:
            name = ""
            for part in self._drawn(connector.logs(ask)):
                if part.name != name:
                    name = part.name
                    _empty(spool)
                spool.write(part.data)
                if part.cursor is not None:
                    cursor = part.cursor()
                    spool.seek(0)
                    while piece := spool.read(_PIECE):
                        yield piece
                    _empty(spool)
        return cursor

    def _drawn(self, parts: AsyncIterator[T]) -> Iterator[T]:
        while (part := self._runner.run(_next(parts))) is not None:
            yield part


@contextmanager
def open_source(
    url: str, settings: Settings | None, environ: Mapping[str, str], since: timedelta | None, clock: Clock
) -> Generator[LogSource]:
    """The place that a URL names. ``settings`` are those of dogwatch.yaml, if there are any.

    Raises SettingsError if it cannot be reached with what is known.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise SettingsError(
            f"{url} names no place with logs",
            "write gs://bucket/prefix, s3://bucket/prefix or logging://project",
        )
    scheme, host, rest = match.groups()
    kind, field = _PLACES[scheme]
    chosen = _settings(kind, field, host, settings, environ)
    connector = load(kind)(kind, chosen, Doors(clock))
    with asyncio.Runner() as runner:
        try:
            yield LogSource(connector, url, rest, since, runner)
        finally:
            runner.run(connector.aclose())


def is_remote(path: str) -> bool:
    """Whether it is a URL of a place with logs."""
    return path.partition("://")[0] in _PLACES


def _settings(
    kind: str, field: str, host: str, settings: Settings | None, environ: Mapping[str, str]
) -> ConnectorSettings:
    """Those of the connector that reads this bucket or project, else of any of its kind, else variables."""
    known = [one.settings for one in settings.connectors.values() if one.kind == kind] if settings else []
    exact = [one for one in known if getattr(one, field) == host]
    if exact:
        return exact[0]
    given: dict[str, Any] = dict(known[0]) if known else _by_variables(kind, environ)
    try:
        return load(kind).Settings.model_validate({**given, field: host})
    except ValidationError as error:
        why = describe(error)
    raise SettingsError(f"{host} cannot be read: {why}", f"add it to dogwatch.yaml: dogwatch init {kind}")


def _by_variables(kind: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """What our variables for this kind say, and those of the vendors' own tools."""
    found: dict[str, Any] = {}
    for name, info in load(kind).Settings.model_fields.items():
        told: Any = info.json_schema_extra
        extra = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
        texts = (
            environ.get(str(one), "").strip() for one in (variable(kind, name), extra.get("environment", ""))
        )
        text = next((text for text in texts if text), "")
        if text and name not in ("logs", "layout"):
            found[name] = text
    return found


async def _found(connector: HasFiles, prefix: str) -> Sequence[Object]:
    return await connector.find(prefix)


async def _told(connector: HasCaveats) -> Sequence[str]:
    return await connector.caveats()


async def _next(parts: AsyncIterator[T]) -> T | None:
    return await anext(parts, None)


def _empty(spool: IO[bytes]) -> None:
    spool.seek(0)
    spool.truncate()
