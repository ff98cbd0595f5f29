"""``dogwatch mcp``: the Model Context Protocol for coding assistants and other clients."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import read_settings
from dogwatch.errors import SettingsError

if TYPE_CHECKING:
    from dogwatch.settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@click.command("mcp")
@click.option("--http", is_flag=True, help="Serve streamable HTTP at /mcp instead of standard input.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --http: the address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8322,
    show_default=True,
    help="With --http; 0: a free one.",
)
@click.option(
    "--name", "names", multiple=True, metavar="HOST", help="With --http: a name under which it is reached."
)
@click.pass_context
def command(ctx: click.Context, http: bool, host: str, port: int, names: tuple[str, ...]) -> None:
    """Serve read verbs, incidents and runbooks to coding assistants (MCP).

    A client starts it itself and speaks on standard input and output; see dogwatch init --assistant. With
    --http every request needs a token: see dogwatch token. Nothing can be done by it: actions can only be
    proposed, and a person decides.
    """
    settings = read_settings(ctx)
    try:
        import mcp as _  # noqa: F401  # is it there?
    except ImportError:
        raise SettingsError(
            "the Model Context Protocol's package is not installed", 'pip install "dogwatch[mcp]"'
        ) from None
    with suppress(KeyboardInterrupt):
        if http:
            asyncio.run(_http(settings, host, port, names))
        else:
            asyncio.run(_stdio(settings))


async def _stdio(settings: "Settings") -> None:
    from dogwatch.app import Dogwatch
    from dogwatch.mcp.server import serve_stdio

    async with Dogwatch(settings) as app:
        await serve_stdio(app)


async def _http(settings: "Settings", host: str, port: int, names: tuple[str, ...]) -> None:
    from dogwatch.app import Dogwatch
    from dogwatch.cli.listening import answer
    from dogwatch.mcp.server import http_app

    async with Dogwatch(settings) as app:
        if not await app.doorkeeper().guarded():
            raise SettingsError(
                "nobody could get in: there is no token", "dogwatch token new NAME --scope read"
            )
        known = [host, *names, *_LOOPBACK] if host in _LOOPBACK else [host, *names]
        hosts = [pattern for name in known for pattern in (name, f"{name}:*")]

        def greet(address: str) -> None:
            click.echo(f"http://{address}/mcp\nCtrl-C ends it.")

        await answer(http_app(app, hosts), host, port, greet)
