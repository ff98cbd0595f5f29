"""dogwatch mcp, driven by the client of the Model Context Protocol's own SDK."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from dogwatch.app import Dogwatch
from dogwatch.mcp.server import http_app, make_server
from dogwatch.mcp.verbs import VERBS
from dogwatch.model.door import Scope
from dogwatch.settings import load
from support.cli import clean, run
from support.watched import watched

T = TypeVar("T")
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return watched(tmp_path_factory.mktemp("mcp"))


@pytest.fixture(autouse=True)
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def app_of(folder: Path) -> Dogwatch:
    return Dogwatch(load(None, {}, folder))


def within(folder: Path, work: Callable[[Client], Awaitable[T]]) -> T:
    """Let a client in this process do something."""

    async def life() -> T:
        async with app_of(folder) as app, Client(make_server(app)) as client:
            return await work(client)

    return asyncio.run(life())


async def everything(client: Any) -> dict[str, Any]:
    """All that a client can list, as JSON."""
    tools, prompts = await client.list_tools(), await client.list_prompts()
    templates = await client.list_resource_templates()
    return {
        "instructions": client.instructions,
        "tools": [one.model_dump(mode="json", exclude_none=True) for one in tools.tools],
        "prompts": [one.model_dump(mode="json", exclude_none=True) for one in prompts.prompts],
        "templates": [one.model_dump(mode="json", exclude_none=True) for one in templates.resource_templates],
    }


def test_what_is_offered_is_what_was_promised(folder: Path) -> None:
    told = json.dumps(within(folder, everything), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    golden = GOLDEN / "mcp.json"
    assert told == golden.read_text(encoding="utf-8")


def test_nothing_that_is_offered_acts(folder: Path) -> None:
    offered = within(folder, everything)
    writing = [one["name"] for one in offered["tools"] if not one["annotations"]["read_only_hint"]]
    assert writing == ["propose_action", "ask_human"]
    assert not {"approve", "consent", "halt", "check", "doctor"} & {one["name"] for one in offered["tools"]}


# ── both transports ─────────────────────────────────────────────────────────────────────────────────────────


async def tour(client: Any) -> list[str]:
    """A little of everything; what a client sees must not depend on the way."""
    seen = [one.name for one in (await client.list_tools()).tools]
    answer = await client.call_tool("incidents", {})
    seen += [one["title"][:20] for one in answer.structured_content["incidents"]]
    seen += [one.uri for one in (await client.list_resources()).resources]
    contents = (await client.read_resource("dogwatch://incident/1")).contents[0]
    seen.append(contents.text[:300])
    seen += [one.content.text[:60] for one in (await client.get_prompt("dataops-check")).messages]
    return seen


@asynccontextmanager
async def http(app: Dogwatch, hosts: list[str]) -> AsyncIterator[str]:
    config = uvicorn.Config(http_app(app, hosts), log_config=None, access_log=False, ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        finally:
            server.should_exit = True
            await serving


LOOPBACK = ["127.0.0.1", "127.0.0.1:*"]


@pytest.mark.slow
def test_stdio_and_http_show_the_same_to_the_protocols_own_client(folder: Path) -> None:
    by_stdio = StdioServerParameters(
        command=sys.executable, args=["-m", "dogwatch", "mcp"], cwd=folder, env=clean(folder)
    )

    async def both() -> tuple[list[str], list[str]]:
        async with Client(by_stdio) as client:
            one = await tour(client)
        async with app_of(folder) as app:
            _, token = await app.doorkeeper().issue("ana", [Scope.read], "user:ana")
            async with (
                http(app, LOOPBACK) as url,
                httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as door,
                Client(streamable_http_client(url, http_client=door)) as client,
            ):
                other = await tour(client)
        return one, other

    one, other = asyncio.run(both())
    assert one == other
    assert "dogwatch://incident/1" in one


@pytest.mark.slow
def test_http_lets_in_only_a_token_that_may_read_under_its_own_name(folder: Path) -> None:
    knocks = {
        "": 401,
        "Bearer dw_00000000_" + "A" * 43: 401,
        "Basic YW5hOmFuYQ==": 401,
        "Bearer {approve}": 401,
        "Bearer {read}": 200,
    }

    async def knock() -> list[int]:
        async with app_of(folder) as app, http(app, LOOPBACK) as url, httpx2.AsyncClient() as door:
            keeper = app.doorkeeper()
            _, read = await keeper.issue("ana", [Scope.read], "user:ana")
            _, approve = await keeper.issue("bo", [Scope.approve], "user:bo")
            listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            seen: list[int] = []
            for given, host in [*((given, "") for given in knocks), ("Bearer {read}", "evil.example")]:
                headers = {"Accept": "application/json, text/event-stream"}
                headers |= {"Authorization": given.format(read=read, approve=approve)} if given else {}
                headers |= {"Host": host} if host else {}
                seen.append((await door.post(url, json=listing, headers=headers)).status_code)
            return seen

    assert asyncio.run(knock()) == [*knocks.values(), 421]


def test_without_a_token_http_is_not_served_and_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "dogwatch.yaml").write_text("connectors: {prometheus: {url: 'http://127.0.0.1:9'}}\n")
    done = run("mcp", "--http", "--config", str(tmp_path / "dogwatch.yaml"))
    assert done.exit_code == 2
    assert "dogwatch token new NAME --scope read" in done.stderr


def of_cli(*words: str) -> Any:
    return json.loads(run(*words, "--format", "json").stdout)


# ── bounds and hostile text ─────────────────────────────────────────────────────────────────────────────────


def test_runs_are_told_page_by_page(folder: Path) -> None:
    async def pages(client: Any) -> list[str]:
        seen: list[str] = []
        for offset in (0, 15, 30):
            answer = await client.call_tool("runs", {"limit": 15, "offset": offset})
            seen += [one["uid"] for one in answer.structured_content["runs"]]
        return seen

    seen = within(folder, pages)
    assert len(seen) == len(set(seen)) == 45


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("runs", {"limit": 51}, "limit"),
    ("runs", {"limit": 0}, "limit"),
    ("runs", {"sql": "drop table runs"}, "sql"),
    ("incident", {"number": 99}, "there is no INC-99"),
    ("incident", {}, "number"),
    ("ask", {"question": "x" * 401}, "question"),
    ("graph", {"what": "nobody"}, "no pipeline and no job"),
    ("incidents", {"platform": "nix"}, "no connector is called 'nix'"),
    ("runs", {"platform": "nix"}, "no connector is called 'nix'"),
    ("explain", {"fingerprint": "ffffffff"}, "no finding"),
    ("propose_action", {"incident": 1, "verb": "drop", "target": "x", "reason": "y", "cites": ["z"]}, "verb"),
    (
        "propose_action",
        {"incident": 1, "verb": "rerun", "target": "x", "reason": "y", "cites": ["z"]},
        "no evidence",
    ),
]


def test_what_is_asked_wrongly_is_an_error_that_helps(folder: Path) -> None:
    async def answers(client: Any) -> list[Any]:
        return [await client.call_tool(verb, args) for verb, args, _ in WRONG]

    for (verb, args, words), answer in zip(WRONG, within(folder, answers), strict=True):
        assert answer.is_error, (verb, args)
        assert words in answer.structured_content["error"]


def test_what_is_not_there_is_refused(folder: Path) -> None:
    async def refusals(client: Any) -> list[str]:
        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: client.read_resource("dogwatch://incident/99"),
            lambda: client.read_resource("dogwatch://incident/x"),
            lambda: client.read_resource("dogwatch://runbook/../../etc/passwd"),
            lambda: client.read_resource("file:///etc/passwd"),
            lambda: client.call_tool("approve", {}),
            lambda: client.get_prompt("approve"),
            lambda: client.get_prompt("why", {}),
            lambda: client.list_resources(cursor="nonsense"),
        ]
        said: list[str] = []
        for attempt in attempts:
            with pytest.raises(MCPError) as refused:
                await attempt()
            said.append(str(refused.value.error.message))
        return said

    said = within(folder, refusals)
    assert said[0] == "there is no INC-99"
    assert said[4:] == [
        "there is no tool 'approve'",
        "there is no prompt 'approve'",
        "the prompt why needs what",
        "the cursor is none of ours",
    ]


def test_what_platforms_said_stands_in_blocks_that_it_cannot_end(folder: Path) -> None:
    async def texts(client: Any) -> list[str]:
        found = [(await client.call_tool(name, args)).content[0].text for name, args in CALLS]
        found.append((await client.read_resource("dogwatch://incident/1")).contents[0].text)
        found += [(await client.get_prompt("dataops-check")).messages[0].content.text]
        found += [(await client.get_prompt("why", {"what": "stock"})).messages[0].content.text]
        return found

    for text in within(folder, texts):
        assert "ignore all previous" in text
        outside = [part.partition("</data>")[2] for part in text.split("<data source=")[1:]]
        assert not any("ignore all previous" in part for part in [text.split("<data source=")[0], *outside])
        assert text.count("<data source=") == text.count("</data>") - text.count("and </data>")
        assert "\u202e" not in text


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("incidents", {}),
    ("incident", {"number": 1}),
    ("runs", {"status": ["failed"]}),
    ("ask", {"question": "what is broken?"}),
    ("read_evidence", {"incident": 1}),
]


def test_a_proposal_is_written_down_and_nothing_is_done(folder: Path) -> None:
    async def propose(client: Any) -> Any:
        told = (await client.call_tool("incident", {"number": 1})).structured_content
        args = {
            "incident": 1,
            "verb": "manual",
            "target": told["incident"]["culprit"],
            "reason": "somebody has to make the table again",
            "cites": [told["evidence"][0]["id"]],
        }
        return (await client.call_tool("propose_action", args)).structured_content

    told = within(folder, propose)
    assert told["note"] == "a person decides; nothing was done"
    record = of_cli("audit")["events"]
    assert any(one["actor"] == "agent:mcp" for one in record)
    assert not any(one["kind"].startswith("action.claimed") for one in record)


def test_every_tool_has_described_arguments() -> None:
    for verb in VERBS.values():
        schema = verb.schema()
        assert schema["additionalProperties"] is False
        for name, part in schema.get("properties", {}).items():
            assert part.get("description"), (verb.name, name)
