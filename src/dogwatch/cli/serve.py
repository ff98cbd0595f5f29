"""``dogwatch serve``: the page and the API."""

import asyncio
import getpass
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import read_settings, tell
from dogwatch.errors import SettingsError

if TYPE_CHECKING:
    from dogwatch.settings import Settings
    from dogwatch.web.caller import Entrance

_PORT = 8321


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="0: a free one."
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help="A name under which it is reached from elsewhere, such as dogwatch.example.com.",
)
@click.option("--cert", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="TLS certificate.")
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its private key.")
@click.pass_context
def command(
    ctx: click.Context, host: str, port: int, names: tuple[str, ...], cert: Path | None, key: Path | None
) -> None:
    """Serve the page that you open at 3 a.m., and the API, until interrupted.

    On this machine anybody may look; the link that is printed signs you in, so that you can decide. Beyond
    this machine (another --host, or a --name) nobody gets in without a token: see dogwatch token. It asks no
    platform by itself: rounds are made by dogwatch watch or dogwatch check.
    """
    settings = read_settings(ctx)

    from dogwatch.web.caller import LOOPBACK, Entrance

    beyond = host not in LOOPBACK or bool(names)
    own = frozenset({*LOOPBACK, host.lower(), *(name.lower() for name in names)})
    entrance = Entrance(own, anonymous=not beyond, secure=beyond or cert is not None)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(settings, entrance, host, port, cert, key))


async def _serve(
    settings: "Settings", entrance: "Entrance", host: str, port: int, cert: Path | None, key: Path | None
) -> None:
    from dogwatch.app import Dogwatch
    from dogwatch.cli.listening import answer
    from dogwatch.doorkeeper import Ticket
    from dogwatch.web.app import make_app
    from dogwatch.web.site import Site

    async with Dogwatch(settings) as app:
        if not entrance.anonymous and not await app.doorkeeper().guarded():
            raise SettingsError(
                f"nobody could get in: beyond this machine ({host}) a token is needed, and there is none",
                "dogwatch token new NAME --scope read --scope approve",
            )
        ticket = Ticket(app.clock.now())
        site = Site(app, entrance, ticket, getpass.getuser())

        def greet(address: str) -> None:
            base = f"{'http' if cert is None else 'https'}://{address}"
            tell(
                f"{base}/\nTo decide things, open this once within 15 min:\n{base}/enter?ticket={ticket.text}"
            )
            tell("Ctrl-C ends it.")

        tls = {"ssl_certfile": cert, "ssl_keyfile": key}
        await answer(make_app(site), host, port, greet, lifespan="off", timeout_graceful_shutdown=2, **tls)
