"""Each verb that reads gives the same JSON by the command line, before a server, over HTTP and by MCP."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import httpx2
import pytest
from mcp import Client

from dogwatch.agents.data import fit
from dogwatch.app import Dogwatch
from dogwatch.cli import COMMANDS, dogwatch
from dogwatch.mcp.server import make_server
from dogwatch.mcp.verbs import VERBS
from dogwatch.model.door import Scope
from dogwatch.settings import load
from dogwatch.web.api import OPERATIONS
from support.cli import run
from support.site import serving
from support.watched import watched


@dataclass(frozen=True)
class Verb:
    """One question, as each surface is asked it. What is empty has a reason in a table below."""

    words: tuple[str, ...]
    """The command line; ``{finding}`` is a fingerprint that is known, ``{job}`` the subject of a job."""
    path: str
    """Under ``/api/v1``."""
    tool: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)


SINCE = "2026-01-01T00:00:00+00:00"
VERBS_ASKED = [
    Verb(("incidents",), "/incidents?limit=20", "incidents"),
    Verb(("incidents", "--all", "--limit", "5"), "/incidents?all=true&limit=5", "incidents",
         {"everything": True, "limit": 5}),
    Verb(("incident", "show", "INC-1"), "/incidents/INC-1", "incident", {"number": 1}),
    Verb(("runs", "--limit", "7"), "/runs?limit=7", "runs", {"limit": 7}),
    Verb(("runs", "--status", "failed", "--limit", "20"), "/runs?status=failed&limit=20", "runs",
         {"status": ["failed"]}),
    Verb(("schedule", "stock"), "/schedule?job=stock", "schedule", {"job": "stock", "slots": 10}),
    Verb(("explain", "{finding}"), "/findings/{finding}", "explain", {"fingerprint": "{finding}"}),
    Verb(("graph",), "/graph", "graph"),
    Verb(("graph", "warehouse"), "/graph?of=warehouse", "graph", {"what": "warehouse"}),
    Verb(("actions", "--all"), "/actions?all=true", "actions", {"everything": True}),
    Verb(("audit", "--limit", "50"), "/audit?limit=50", "audit", {"limit": 50}),
    Verb(("audit", "verify"), "/audit/verify", "verify_audit"),
    Verb(("notify", "status"), "/channels", "channels"),
    Verb(("review",), "/review", "review"),
    Verb(("ask", "--rules", "what is broken?"), "/ask?question=what+is+broken%3F", "ask",
         {"question": "what is broken?"}),
    Verb(("search", "stock"), "/search?q=stock", "search", {"text": "stock"}),
    Verb(("job", "{job}"), "/jobs/{job}", "job", {"subject": "{job}"}),
    Verb(("logs", "said"), "/logs", "logs"),
    Verb(("report", "--since", SINCE), f"/overview?since={SINCE.replace('+', '%2B')}"),
]  # fmt: skip

NOT_BY_MCP = {
    "overview": "a picture of some thousand bars: assistants ask for estate_health, incidents and schedule",
    "tonight": "the same, as the first page folds it",
    "postmortem": "a text; incidents are resources in Markdown",
    "jobs": "a list to page through: runs and schedule take a part of a name",
    "doctor": "asks platforms with their credentials",
}
"""Operations of the API that read and are no tools."""
NOT_BY_COMMAND = {
    "tonight": "dogwatch report",
    "postmortem": "dogwatch incident postmortem, which is no JSON",
    "jobs": "a list to page through: dogwatch search, dogwatch schedule",
    "doctor": "dogwatch doctor asks the platforms; what it prints is compared in test_verbs.py",
}
"""Operations of the API that read and have no command that prints the same JSON from the store."""
NOT_BY_SERVER = {
    "check": "makes a round: the server's own watch does",
    "doctor": "asks platforms from where it runs",
    "investigate": "lets agents work",
    "token": "who holds tokens is told on the machine itself and on the page to who administers",
    "hub": "a warehouse is asked from where it runs",
    "agents": "files of this machine",
    "logs mine": "files of this machine",
    "logs triage": "files of this machine",
    "logs diff": "files of this machine",
    "lab": "simulated platforms on this machine",
    "backup": "files of this machine",
    "restore": "files of this machine",
    "prune": "changes",
    "actions approve": "decides; by web a person's own session does",
    "actions reject": "decides; by web a person's own session does",
    "notify test": "sends",
}
"""Commands with JSON that cannot be asked of a server."""
OTHER_WORDS = {"finding": "explain", "verify": "verify_audit"}
"""Operations of the API whose tool is called otherwise."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = watched(tmp_path_factory.mktemp("parity"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(found)
        assert run("review").exit_code == 0  # which keeps today's figures, once
    return found


@dataclass(frozen=True)
class Place:
    """A store, and a server before it."""

    folder: Path
    url: str
    token: str
    finding: str
    job: str


@pytest.fixture(scope="module")
def place(folder: Path) -> Iterator[Place]:
    settings = load(None, {}, folder)

    async def token() -> str:
        async with Dogwatch(settings) as app:
            return (await app.doorkeeper().issue("ana", [Scope.read], "user:ana"))[1]

    made = asyncio.run(token())
    with serving(settings, beyond=True) as site, httpx2.Client(headers=_bearer(made)) as door:
        live = door.get(f"{site.url}/api/v1/incidents").json()["incidents"]
        yield Place(folder, site.url, made, live[0]["findings"][0], live[0]["culprit"])


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def by_tool(folder: Path, tool: str, args: Mapping[str, Any]) -> Any:
    """What the tool answers to a client of the protocol in this process."""

    async def life() -> Any:
        async with Dogwatch(load(None, {}, folder)) as app, Client(make_server(app)) as client:
            return (await client.call_tool(tool, dict(args))).structured_content

    return asyncio.run(life())


def timeless(told: Any) -> Any:
    """Without what depends on the moment of asking."""
    for key in ("at", "starts_at", "ends_at"):
        told.pop(key, None)
    if "since" in told and "cases" in told:  # a review counts back from now
        del told["since"], told["now"]["at"]
    if "statements" in told:  # which tell ages in words
        told["statements"] = [one["cites"] for one in told["statements"]]
    for one in told.get("dossiers", ()):
        one.pop("at")
    for one in [*(one["course"] for one in told.get("pictures", ())), *told.get("courses", ())]:
        # a run that still goes on is as long as it is old
        one["points"] = [point for point in one["points"] if point["status"] != "running"]
    return told


@pytest.mark.parametrize("verb", VERBS_ASKED, ids=lambda verb: " ".join(verb.words))
def test_each_verb_gives_the_same_json_on_every_surface(
    verb: Verb, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def named(text: Any) -> Any:
        if not isinstance(text, str):
            return text
        return text.replace("{finding}", place.finding).replace("{job}", place.job)

    words = [named(word) for word in verb.words]
    monkeypatch.chdir(place.folder)
    said = run(*words, "--format", "json")
    assert said.exit_code == 0, said.stderr
    here = timeless(json.loads(said.stdout))
    answer = httpx2.get(f"{place.url}/api/v1{named(verb.path)}", headers=_bearer(place.token))
    assert answer.status_code == 200, answer.text
    assert timeless(answer.json()) == here
    monkeypatch.chdir(tmp_path)  # where no configuration is
    env = {"DOGWATCH_TOKEN": place.token, "TZ": "UTC"}
    there = run(*words, "--server", place.url, "--format", "json", env=env)
    assert there.exit_code == 0, there.stderr
    assert timeless(json.loads(there.stdout)) == here
    if verb.tool:
        args = {key: named(value) for key, value in verb.args.items()}
        assert timeless(by_tool(place.folder, verb.tool, args)) == fit(here)


def test_every_verb_that_reads_is_compared_or_has_its_reason() -> None:
    """Nothing is on one surface by chance: what is missing on another is named above, with why."""
    asked = [verb.path.partition("?")[0] for verb in VERBS_ASKED]
    tools = {verb.tool for verb in VERBS_ASKED if verb.tool}
    reading = {one.name: one for one in OPERATIONS if one.method == "GET"}
    shapes = {name: re.sub(r"{\w+}", "[^/]+", one.path) for name, one in reading.items()}
    named = [path.replace("{job}", "airbyte/1") for path in asked]
    compared = {name for name, shape in shapes.items() if any(re.fullmatch(shape, path) for path in named)}
    assert reading.keys() - compared - NOT_BY_COMMAND.keys() == set()
    without = {name for name in reading if OTHER_WORDS.get(name, name) not in VERBS}
    assert without == set(NOT_BY_MCP)
    ours = {name for name, verb in VERBS.items() if verb.answer is not None}
    assert ours - tools == set()
    local = {name for name, asks in printing() if not asks}
    assert local == set(NOT_BY_SERVER)


def printing() -> Iterator[tuple[str, bool]]:
    """Commands that print JSON, and whether a server can be asked for it. A group whose commands all cannot
    is told as one."""
    context = click.Context(dogwatch)
    for name in COMMANDS:
        command = dogwatch.get_command(context, name)
        assert command is not None
        parts = [("", command)]
        if isinstance(command, click.Group):
            parts += [(f" {word}", command.commands[word]) for word in command.list_commands(context)]
        found = [
            (name + word, any(one.name == "server" for one in part.params))
            for word, part in parts
            if any(isinstance(one.type, click.Choice) and "json" in one.type.choices for one in part.params)
        ]
        yield from found if any(asks for _, asks in found) else ([(name, False)] if found else [])


def test_before_a_server_texts_and_refusals_are_those_of_a_store(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    env = {"DOGWATCH_TOKEN": place.token, "TZ": "UTC", "DOGWATCH_SERVER": place.url}
    assert "INC-1" in run("incidents", env=env).stdout
    none = run("incident", "show", "99", env=env)
    assert (none.exit_code, "there is no INC-99" in none.stderr) == (2, True)
    nothing = run("graph", "nobody", env=env)
    assert (nothing.exit_code, "no pipeline and no job is called 'nobody'" in nothing.stderr) == (2, True)
    several = run("job", "o", env=env)
    assert (several.exit_code, "jobs are called 'o'" in several.stderr) == (2, True)
    for word in ("incidents", "runs"):
        unnamed = run(word, "--platform", "nix", env=env)
        assert (unnamed.exit_code, "no connector is called 'nix' there" in unnamed.stderr) == (2, True)
        assert "its last round read: airbyte, cloud_logging, databricks" in unnamed.stderr
    nobody = run("job", "airbyte/nothing", env=env)
    assert (nobody.exit_code, "no job is called 'airbyte/nothing'" in nobody.stderr) == (2, True)
    asked = [["graph", "warehouse"], ["job", "stock"], ["search", "stock"], ["logs", "said"]]
    drawn = [run(*words, env=env).stdout for words in asked]
    monkeypatch.chdir(place.folder)
    assert drawn[0] == run(*asked[0]).stdout
    for words, said in zip(asked, drawn, strict=True):
        assert len(said.splitlines()) == len(run(*words).stdout.splitlines()) > 0, words
    refused = run("incidents", env={**env, "DOGWATCH_TOKEN": ""})
    assert (refused.exit_code, "set DOGWATCH_TOKEN" in refused.stderr) == (2, True)
