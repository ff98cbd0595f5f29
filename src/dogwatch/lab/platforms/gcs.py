"""Cloud Storage's twin: the JSON API over the objects that a log sink of Cloud Logging writes hourly.

``{log id}/YYYY/MM/DD/HH:00:00_HH:59:59_S0.json`` appears some minutes after its hour; entries that were
received in a later hour than that of their timestamp come in ``…_A0:{unix seconds}.json`` after that one.
Objects never change once they are there.
"""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dogwatch.lab.google import ACCESS_TOKEN, Door, entry, log_id, problem
from dogwatch.lab.lines import Line, Lines
from dogwatch.lab.twin import Jobless
from dogwatch.lab.world import World, native_number

BUCKET = "shop-prod-logs"
LOG_IDS = ("run.googleapis.com/stderr", "run.googleapis.com/stdout")
_HOUR = timedelta(hours=1)
_LATEST = timedelta(hours=3)
"""No entry is received later than this after its timestamp."""
_SOONEST, _SPREAD = 240, 900
"""Seconds after the end of an hour in which its objects appear: at least, and so many more at most."""
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Exported:
    """An object that the sink wrote."""

    name: str
    created: datetime
    body: bytes


class Export:
    """What the sink of a world writes."""

    def __init__(self, world: World, platform: str | None = None) -> None:
        """``platform``: only the logs of components that are found there."""
        self._world = world
        self._platform = platform
        self._lines = Lines(world)
        self._hour = lru_cache(maxsize=128)(self._written)

    def objects(self, start: datetime, now: datetime, end: datetime | None = None) -> Iterator[Exported]:
        """The objects of the hours from ``start`` to ``end`` that are there now, by hour."""
        hour = max(start, self._world.start or start).replace(minute=0, second=0, microsecond=0)
        while hour < min(now, end or now):
            yield from (one for one in self._hour(hour) if one.created <= now)
            hour += _HOUR

    def _written(self, hour: datetime) -> tuple[Exported, ...]:
        """All objects that will ever hold entries of one hour."""
        parts: dict[tuple[str, int], list[Line]] = {}
        for line in self._lines.between(hour, hour + _HOUR, self._platform):
            late = max(0, (line.received - hour) // _HOUR)
            parts.setdefault((log_id(line), late), []).append(line)
        found: list[Exported] = []
        for (log, late), lines in sorted(parts.items()):
            ends = hour + _HOUR * (late + 1)
            lag = _SOONEST + native_number(log, ends.isoformat()) % _SPREAD
            created = ends + timedelta(seconds=lag)
            shard = f"A0:{int(ends.timestamp())}" if late else "S0"
            name = f"{log}/{hour:%Y/%m/%d/%H}:00:00_{hour:%H}:59:59_{shard}.json"
            body = "".join(json.dumps(entry(line)) + "\n" for line in lines)
            found.append(Exported(name, created, body.encode()))
        return tuple(found)


class Gcs(Jobless):
    """One bucket with exported logs."""

    platform: ClassVar[str] = "gcs"
    required: ClassVar[str] = "name"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._export = Export(world, self.platform)
        self._door = Door(world)

    def routes(self) -> Sequence[BaseRoute]:
        """The vendor's paths; the token endpoint is another host's in life."""
        api = "/storage/v1/b/{bucket}"
        return [
            Route("/token", self._door.token, methods=["POST"]),
            Route(api, self._door.guarded(self._bucket)),
            Route(f"{api}/o", self._door.guarded(self._list)),
            Route(f"{api}/o/{{name:path}}", self._door.guarded(self._get)),
            Route(f"/download{api}/o/{{name:path}}", self._door.guarded(self._media)),
        ]

    def settings(self, base_url: str) -> dict[str, Any]:
        """The bucket."""
        return {"bucket": BUCKET, "url": base_url}

    def credentials(self) -> dict[str, str]:
        """An access token."""
        return {"access_token": ACCESS_TOKEN}

    def revoke(self) -> None:
        """Tokens are worthless from now on."""
        self._door.revoke()

    def _bucket(self, request: Request) -> Response:
        if request.path_params["bucket"] != BUCKET:
            return _missing("The specified bucket does not exist.")
        return JSONResponse({"kind": "storage#bucket", "name": BUCKET, "location": "EUROPE-WEST1"})

    def _list(self, request: Request) -> Response:
        asked = request.query_params
        if request.path_params["bucket"] != BUCKET:
            return _missing("The specified bucket does not exist.")
        prefix, first, last = (asked.get(key, "") for key in ("prefix", "startOffset", "endOffset"))
        after = asked.get("pageToken", "")
        try:
            size = min(1000, int(asked.get("maxResults", 1000)))
        except ValueError:
            return problem(400, "INVALID_ARGUMENT", "Invalid value for maxResults")
        chosen: list[Exported] = []
        for one in sorted(self._visible(prefix, max(first, after)), key=lambda one: one.name):
            within = one.name >= first and one.name > after and (not last or one.name < last)
            if within and one.name.startswith(prefix):
                chosen.append(one)
        answer: dict[str, Any] = {"kind": "storage#objects"}
        if chosen:
            answer["items"] = [self._told(one) for one in chosen[:size]]
        if len(chosen) > size:
            answer["nextPageToken"] = chosen[size - 1].name
        return JSONResponse(answer)

    def _visible(self, prefix: str, first: str) -> Iterator[Exported]:
        """The objects that may be asked for: those of the days that the prefix and the offset leave."""
        now = self.world.now
        start = self.world.start or now - timedelta(days=30)
        one_log = any(prefix.startswith(f"{log}/") for log in LOG_IDS)  # else names are not in order of time
        for told in (prefix, first if one_log else ""):
            start = max(start, _day_of(told) or start)
        end = _day_after(prefix) or now
        yield from self._export.objects(start, now, end)

    def _find(self, request: Request) -> Exported | None:
        name = request.path_params["name"]
        if request.path_params["bucket"] != BUCKET:
            return None
        try:
            hour = _hour_of(name)
        except ValueError:
            return None
        end = hour + _HOUR
        return next(
            (one for one in self._export.objects(hour, self.world.now, end) if one.name == name), None
        )

    def _get(self, request: Request) -> Response:
        found = self._find(request)
        if found is None:
            return _missing(f"No such object: {BUCKET}/{request.path_params['name']}")
        return self._media(request) if request.query_params.get("alt") == "media" else self._described(found)

    def _described(self, found: Exported) -> Response:
        return JSONResponse(self._told(found))

    def _media(self, request: Request) -> Response:
        found = self._find(request)
        if found is None:
            return _missing(f"No such object: {BUCKET}/{request.path_params['name']}")
        headers = {"x-goog-generation": _generation(found), "Accept-Ranges": "bytes"}
        match = _RANGE.fullmatch(request.headers.get("range", ""))
        if match is None:
            return Response(found.body, 200, headers, "application/json")
        start = int(match[1] or 0)
        end = min(int(match[2] or len(found.body) - 1), len(found.body) - 1)
        if start >= len(found.body):
            return Response("", 416, {"Content-Range": f"bytes */{len(found.body)}"})
        headers["Content-Range"] = f"bytes {start}-{end}/{len(found.body)}"
        return Response(found.body[start : end + 1], 206, headers, "application/json")

    def _told(self, one: Exported) -> dict[str, Any]:
        created = f"{one.created + self.world.skew(self.platform):%Y-%m-%dT%H:%M:%S}.000Z"
        return {
            "kind": "storage#object",
            "id": f"{BUCKET}/{one.name}/{_generation(one)}",
            "name": one.name,
            "bucket": BUCKET,
            "generation": _generation(one),
            "metageneration": "1",
            "contentType": "application/json",
            "storageClass": "STANDARD",
            "size": str(len(one.body)),
            "md5Hash": b64encode(hashlib.md5(one.body, usedforsecurity=False).digest()).decode(),
            "timeCreated": created,
            "updated": created,
        }


def _generation(one: Exported) -> str:
    return str(int(one.created.timestamp() * 1_000_000))


def _missing(message: str) -> Response:
    return problem(404, "notFound", message)


def _hour_of(name: str) -> datetime:
    """The hour that an object is of. Raises ValueError for a name of another sort."""
    match = re.search(r"/(\d{4})/(\d\d)/(\d\d)/(\d\d):00:00_", name)
    if match is None:
        raise ValueError(name)
    return datetime(*(int(part) for part in match.groups()), tzinfo=UTC)  # type: ignore[arg-type,misc]  # four numbers


def _day_of(text: str) -> datetime | None:
    """The first moment that a beginning of a name can be about, as far as it says."""
    match = re.search(r"/(\d{4})/(?:(\d\d)/)?(?:(\d\d)/)?(?:(\d\d))?", text)
    if match is None:
        return None
    year, month, day, hour = (int(part) if part else None for part in match.groups())
    try:
        return datetime(year or 1970, month or 1, day or 1, hour or 0, tzinfo=UTC)
    except ValueError:
        return None


def _day_after(text: str) -> datetime | None:
    """The first moment after the day, or the hour, that a whole prefix names."""
    match = re.search(r"/(\d{4})/(\d\d)/(\d\d)/(?:(\d\d))?", text)
    begins = _day_of(text)
    if match is None or begins is None:
        return None
    return begins + (_HOUR if match[4] else timedelta(days=1))
