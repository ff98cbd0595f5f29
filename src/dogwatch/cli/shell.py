"""What all commands share: two options, the way errors look, the console."""

import os
import shlex
import shutil
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.exceptions import NoArgsIsHelpError

from dogwatch.errors import ConnectorError, DogwatchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.text import Text

    from dogwatch.app import Dogwatch
    from dogwatch.remote import Remote
    from dogwatch.settings import Settings

INTERRUPTED = 130
"""128 + SIGINT, as shells count."""
BROKEN_PIPE = 141
"""128 + SIGPIPE: the reader went away, which is nobody's fault."""
_WIDEST = 110
"""Columns beyond which lines become hard to read."""

C = TypeVar("C", bound=click.Command)


@dataclass(slots=True)
class Given:
    """The values of the shared options; lives in the outermost context as its ``obj``."""

    config: Path | None = None
    verbose: bool = False
    server: str | None = None


def shared(command: C) -> C:
    """Give a command ``--config`` and ``--verbose``; they may stand before or after its name."""
    if not any(parameter.name == "config" for parameter in command.params):
        command.params += [
            click.Option(
                ["--config"],
                type=click.Path(path_type=Path),
                expose_value=False,
                callback=_note,
                help="The configuration file.  [default: ./dogwatch.yaml]",
            ),
            click.Option(
                ["--verbose", "-v"],
                is_flag=True,
                expose_value=False,
                callback=_note,
                help="Show the details of an error.",
            ),
        ]
    return command


def _note(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value and parameter.name:
        setattr(ctx.find_root().ensure_object(Given), parameter.name, value)


format_option = click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "md"]),
    default="text",
    show_default=True,
    help="For people, for programs, or for tickets and chat.",
)


text_or_json = click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people or for programs.",
)


server_option = click.option(
    "--server",
    metavar="URL",
    envvar="DOGWATCH_SERVER",
    expose_value=False,
    callback=_note,
    help="Ask the dogwatch serve at this address, with the token in DOGWATCH_TOKEN.",
)
"""For verbs that read."""


def opened(ctx: click.Context, settings: "Settings") -> "Dogwatch | Remote":
    """The verbs that read: here, or at the server that the user means. Use within ``async with``."""
    server = ctx.find_root().ensure_object(Given).server
    if server is None:
        from dogwatch.app import Dogwatch

        return Dogwatch(settings)
    from dogwatch.remote import Remote

    return Remote(server, os.environ.get("DOGWATCH_TOKEN", ""))


def read_settings(ctx: click.Context) -> "Settings":
    """The configuration that the user means; before a server none is needed, but the zone of this machine.
    Raises SettingsError."""
    if ctx.find_root().ensure_object(Given).server is not None:
        from dogwatch.settings import Settings, local_zone

        return Settings(timezone=local_zone(os.environ), connectors={})
    from dogwatch.settings import load

    return load(ctx.find_root().ensure_object(Given).config, os.environ, Path.cwd())


def program(ctx: click.Context) -> str:
    """How a command that we advise has to begin, so that it works and means the same configuration."""
    config = ctx.find_root().ensure_object(Given).config
    called = _called()
    return called if config is None else f"{called} --config {shlex.quote(str(config))}"


def program_anywhere() -> str:
    """The same from any folder and for the configuration there."""
    called = _called()
    return called if called == "dogwatch" else shlex.quote(str(Path(sys.argv[0]).absolute()))


def _called() -> str:
    """``dogwatch`` if a shell finds this program by that name, else the path by which it was called."""
    this = Path(sys.argv[0])
    if this.name != "dogwatch" or not this.exists():
        return "dogwatch"  # python -m dogwatch, or a test
    found = shutil.which("dogwatch")
    return "dogwatch" if found and Path(found).samefile(this) else shlex.quote(sys.argv[0])


def console() -> "Console":
    """Where results are written: coloured only on a terminal without NO_COLOR, 80 wide where none is."""
    from rich.console import Console

    out = Console(highlight=False, markup=False, emoji=False)
    out.width = min(out.width, _WIDEST)
    return out


def show(render: "Callable[[int], Text]") -> None:
    """Print what ``render`` makes for the width there is, as it stands."""
    out = console()
    out.print(render(out.width), soft_wrap=True)


def tell(text: str) -> None:
    """A result that is text already."""
    click.echo(text)


# ── what went wrong ───────────────────────────────────────────────────────────────────────────────────────


def complain(error: Exception, *, verbose: bool) -> None:
    """``error: …`` and what to do, on stderr."""
    if isinstance(error, DogwatchError):
        _say(error.message, error.hint)
    else:
        _say(
            f"dogwatch itself broke ({type(error).__name__})", "please report it with the output of --verbose"
        )
    if verbose:
        click.echo(_details(error), err=True)


def complain_usage(error: click.ClickException) -> None:
    """A command line that was not understood."""
    message = error.format_message()
    if isinstance(error, NoArgsIsHelpError):
        click.echo(message, err=True)
        return
    ctx = getattr(error, "ctx", None)
    hint = f"{ctx.command_path} --help" if isinstance(ctx, click.Context) else ""
    _say(message[:1].lower() + message[1:].rstrip("."), hint)


def _say(message: str, hint: str) -> None:
    click.echo(f"{click.style('error:', fg='red', bold=True)} {_fit(message)}", err=True)
    if hint:
        click.echo(f" {click.style('next:', bold=True)} {_fit(hint)}", err=True)


def _fit(text: str) -> str:
    """Without characters that move the cursor or reorder text; a message may name a hostile key or file."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def _details(error: BaseException) -> str:
    """The chain of causes and where each was raised. Only our own messages are shown: foreign ones may hold
    what a platform said or what a validator was given."""
    lines: list[str] = []
    current: BaseException | None = error
    while current is not None:
        said = f": {current}" if isinstance(current, (DogwatchError, OSError)) else ""
        status = f" (HTTP {current.status})" if isinstance(current, ConnectorError) and current.status else ""
        lines.append(f"  {'because of ' if lines else ''}{type(current).__name__}{status}{said}")
        for frame in traceback.extract_tb(current.__traceback__)[-6:]:
            lines.append(f"    {frame.filename}:{frame.lineno} in {frame.name}")
        current = current.__cause__
    return _fit("\n".join(lines))


def hush() -> None:
    """Let nothing be written to a pipe that nobody reads any more, not even at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if not stream.isatty():
            os.dup2(nowhere, stream.fileno())
