"""The page and the API of one store: asked in this process, or served on a socket to a browser."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx2

from dogwatch.app import Dogwatch
from dogwatch.doorkeeper import Ticket
from dogwatch.model import Action, ActionState, Job, JobState, Run, Status, Turn, TurnKind, run_uid
from dogwatch.model.door import Scope
from dogwatch.model.report import PlatformView, Sight
from dogwatch.settings import Settings, load
from dogwatch.store import Store, open_store
from dogwatch.store.incidents import Casebook
from dogwatch.web.app import make_app
from dogwatch.web.caller import Entrance
from dogwatch.web.limits import Buckets, Rate
from dogwatch.web.site import Site
from dogwatch.wire.http import Pace
from support.actions import an_action
from support.clock import NOON, JumpingClock
from support.healing import Ward
from support.letters import EVIDENCE, incident
from support.serve import served

T = TypeVar("T")
CONFIG = "timezone: Europe/Berlin\nconnectors:\n  airbyte:\n    url: http://127.0.0.1:9\n"
HERE = "127.0.0.1"
OWNER = "anna"
LOOSE = Rate(1_000_000, 1_000_000)


def site_of(app: Dogwatch, *, beyond: bool = False, loose: bool = True) -> Site:
    """A site on loopback, or one that is reached from elsewhere as dog.example; in no hurry."""
    names = frozenset({HERE, "localhost", *(["dog.example"] if beyond else [])})
    entrance = Entrance(names, anonymous=not beyond, secure=beyond)
    site = Site(app, entrance, Ticket(app.clock.now()), OWNER)
    if loose:
        site.looking, site.changing, site.entering = Buckets(LOOSE), Buckets(LOOSE), Buckets(LOOSE)
    return site


@dataclass
class Desk:
    """dogwatch over a store of one's own, with clients as browsers and programs are. Use within ``with``."""

    folder: Path
    beyond: bool = False
    loose: bool = True
    config: str = CONFIG
    clock: JumpingClock = field(default_factory=lambda: JumpingClock(NOON))

    def __enter__(self) -> Self:
        """Open everything."""
        (self.folder / "dogwatch.yaml").write_text(self.config, encoding="utf-8")
        self._runner = asyncio.Runner()
        self.app = Dogwatch(load(None, {}, self.folder), clock=self.clock)
        self.does(self.app.__aenter__())
        self.site = site_of(self.app, beyond=self.beyond, loose=self.loose)
        self.asgi = make_app(self.site)
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.does(self.app.__aexit__(None, None, None))
        self._runner.close()

    def does(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something."""
        return self._runner.run(work)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store, to put something into it."""
        found = open_store(Path(self.app.settings.store))
        try:
            yield found
        finally:
            found.close()

    def token(self, *scopes: Scope, name: str = OWNER, lasts: timedelta | None = None) -> str:
        """A new token."""
        made = self.app.doorkeeper().issue(name, scopes, "user:test", lasts)
        return self.does(made)[1]

    def client(self, address: str = HERE, host: str = HERE, **headers: str) -> "Visitor":
        """Somebody with a memory for cookies."""
        return Visitor(self, address, host, headers)

    def bearer(self, *scopes: Scope) -> "Visitor":
        """A program with a token."""
        host = "dog.example" if self.beyond else HERE
        return self.client(host=host, authorization=f"Bearer {self.token(*scopes)}")

    def browser(self) -> "Visitor":
        """A browser that opened the link of the person at the machine."""
        assert self.site.ticket is not None
        visitor = self.client()
        self.site.ticket = Ticket(self.clock.now())
        assert visitor.get(f"/enter?ticket={self.site.ticket.text}").status_code == 303
        return visitor


class Visitor:
    """A client: remembers cookies, sends what browsers send with forms."""

    def __init__(self, desk: Desk, address: str, host: str, headers: Mapping[str, str]) -> None:
        self._desk = desk
        self._address = address
        self._headers = {"host": host, **headers}
        self.host = host
        self.cookies: dict[str, str] = {}
        self.set: list[str] = []
        """Set-Cookie headers of the last answer."""

    def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        """One request."""
        asgi: Any = self._desk.asgi

        async def send() -> httpx2.Response:
            transport = httpx2.ASGITransport(asgi, raise_app_exceptions=False, client=(self._address, 4711))
            async with httpx2.AsyncClient(transport=transport, base_url=f"http://{self.host}") as client:
                sent = {**self._headers, **(headers or {})}
                if self.cookies:
                    sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
                return await client.request(method, path, headers=sent, **more)

        answer = self._desk.does(send())
        self.set = answer.headers.get_list("set-cookie")
        for cookie in self.set:
            name, _, rest = cookie.partition("=")
            value = rest.partition(";")[0].strip('"')
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answer

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """A page or a value."""
        return self.ask("GET", path, headers=headers)

    def submit(self, path: str, *, origin: str | None = None, **fields: str) -> httpx2.Response:
        """A form, from this site unless another origin is given."""
        sent = {"origin": f"http://{self.host}" if origin is None else origin}
        return self.ask("POST", path, data=fields, headers=sent)

    def csrf(self) -> str:
        """The token that forms of this browser carry."""
        text = self.get("/settings").text
        return text.partition('name="csrf" value="')[2].partition('"')[0]


# ── what stands in a store ────────────────────────────────────────────────────────────────────────────────

HOSTILE = (
    "<script>alert('x')</script><img src=x onerror=alert(1)>\"'`{{7*7}}${7*7}<svg/onload=alert(2)>"
    "\u202egnp.exe</pre></title><style>*{display:none}</style> javascript:alert(3)"
)


def a_job(subject: str = "airbyte/orders", name: str = "Orders PG → RAW", **changes: Any) -> Job:
    """A job as a platform lists it."""
    instance, _, job_id = subject.partition("/")
    values: dict[str, Any] = {"platform": "airbyte", "instance": instance, "job_id": job_id, "name": name}
    values["observed_at"] = NOON
    return Job(**{**values, "state": JobState.active, **changes})


def a_run(job: Job, number: int, **changes: Any) -> Run:
    """A run that began so many hours before noon and took ten minutes."""
    began = NOON - timedelta(hours=number)
    uid = run_uid(job.platform, job.instance, job.job_id, str(number), 1)
    values: dict[str, Any] = {
        "uid": uid,
        "platform": job.platform,
        "instance": job.instance,
        "job_id": job.job_id,
        "job_name": job.name,
        "native_run_id": str(number),
        "status": Status.success,
        "native_status": "succeeded",
        "started_at": began,
        "ended_at": began + timedelta(minutes=10),
        "observed_at": NOON,
    }
    return Run(**{**values, **changes})


def fill(desk: Desk, text: str = "") -> Action:
    """A job with ten runs, an incident about it and an action that waits; ``text`` is what platforms say
    wherever they may say something. Returns the action."""
    job = a_job(name=text or "Orders PG → RAW", state_reason=text, owner=text or "data@shop.example")
    bad = {"status": Status.failed, "error_message": text or "permission denied", "url": text or None}
    proof = list(EVIDENCE.values())
    if text:
        proof = [item.model_copy(update={"content": {"error": text, text[:30]: [text]}}) for item in proof]
    one = incident(1, title=text or "Orders PG → RAW failed", culprit=job.subject, culprit_name=job.name)
    if text:
        causes = [cause.model_copy(update={"claim": text, "phrase": text}) for cause in one.causes]
        hit = [each.model_copy(update={"name": text, "owner": text}) for each in one.affected]
        one = one.model_copy(
            update={"causes": tuple(causes), "affected": tuple(hit), "owners": (text,), "pipelines": (text,)}
        )
    one = one.model_copy(update={"version": 1})
    turn = Turn(number=1, version=1, at=NOON, actor="rules", kind=TurnKind.opened, was=None,
                state=one.state, why=text or "it failed")  # fmt: skip
    with desk.store() as store:
        store.save_jobs(job.instance, [job], NOON)
        store.record([a_run(job, 1, **bad), *(a_run(job, number) for number in range(2, 12))])
        number = store.start_round(NOON)
        store.end_round(
            number,
            NOON,
            ended_at=NOON,
            exit_code=1,
            body={"platforms": [_view(job, text)]},
            findings=[],
            evidence=[],
            casebook=Casebook([one], [turn], {}, tuple(proof)),
        )
        wanted = an_action(
            incident=1, target=job.subject, target_name=job.name, reason=text or "its results are missing",
            why=text, state=ActionState.waiting, proposed_at=NOON, expires_at=NOON + timedelta(hours=4),
        )  # fmt: skip
        (made,) = store.propose([wanted])
    return made


def _view(job: Job, text: str) -> dict[str, Any]:
    view = PlatformView(
        instance=job.instance,
        platform=job.platform,
        title=text or "Airbyte",
        sight=Sight.blind if text else Sight.clear,
        blind_since=NOON if text else None,
        reason=text,
        hint=text,
        read_until=NOON,
        jobs=1,
        caveats=(text,) if text else (),
    )
    return view.model_dump(mode="json")


# ── served ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Served:
    """A site on a socket."""

    url: str
    site: Site

    @property
    def link(self) -> str:
        """What the person at the machine opens."""
        self.site.ticket = Ticket(self.site.now())
        return f"{self.url}/enter?ticket={self.site.ticket.text}"


@contextmanager
def serving(settings: Settings, *, beyond: bool = False, **ways: Any) -> Iterator[Served]:
    """Serve a configuration on a free port; ``ways`` are those of Dogwatch."""
    app = Dogwatch(settings, **ways)
    with ThreadPoolExecutor(1) as elsewhere:  # a browser's driver keeps a loop in this thread
        elsewhere.submit(lambda: asyncio.run(app.__aenter__())).result()
        try:
            site = site_of(app, beyond=beyond)
            with served(make_app(site)) as url:
                yield Served(url, site)
        finally:
            elsewhere.submit(lambda: asyncio.run(app.__aexit__(None, None, None))).result()


class WardRoom:
    """A small estate whose rounds are made in a thread of their own, and its page."""

    def __init__(self, folder: Path, platform: str, fault: str, **more: Any) -> None:
        self._thread = ThreadPoolExecutor(1)
        self.ward = Ward(folder, platform, fault, **more)

    def __enter__(self) -> Self:
        """Begin the story."""
        self.does(self.ward.__enter__)
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.does(lambda: self.ward.__exit__(None, None, None))
        self._thread.shutdown()

    def does(self, work: Callable[[], T]) -> T:
        """Do something in the estate's own thread."""
        return self._thread.submit(work).result()

    @contextmanager
    def page(self) -> Iterator[Served]:
        """Its page."""
        settings = load(None, self.ward.env, self.ward.home)
        ways: dict[str, Any] = {
            "clock": self.ward.clock,
            "transport": self.ward.lab.transport(),
            "pace": Pace(per_second=0),
            "rng": random.Random(2),
        }
        with serving(settings, **ways) as found:
            yield found
