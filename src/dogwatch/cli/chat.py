"""``dogwatch chat``: one question after the other."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import complain, console, program, read_settings
from dogwatch.errors import DogwatchError

if TYPE_CHECKING:
    from dogwatch.model.answer import Answer
    from dogwatch.settings import Settings

_PROMPT = "? "
_ENDS = frozenset({"exit", "quit", "bye", ":q"})
_KEPT = 1_000
"""Questions of earlier conversations that the arrow keys bring back."""


@click.command("chat")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Ask one question after the other, as with ask; `and who is hit?` goes on about the same.

    The arrow keys bring earlier questions back. Ctrl-C stops an answer or drops a line, Ctrl-D ends. From a
    pipe, each line is a question.
    """
    settings = read_settings(ctx)
    called = program(ctx)
    typed = sys.stdin.isatty()
    history = _history() if typed else None
    if typed:
        click.echo("Ask in plain words; `help` lists what can be answered, Ctrl-D ends.")
    before: Sequence[str] = ()
    while (question := _line(typed)) is not None:
        if question.lower() in _ENDS:
            break
        if question:
            if not typed:
                click.echo(f"{_PROMPT}{question}")
            before = _answered(settings, question, before, called)
            click.echo()
    if history is not None:
        _keep(history)


def _line(typed: bool) -> str | None:
    """The next question, stripped; None at the end. Ctrl-C drops what was typed so far."""
    while True:
        try:
            if typed:
                return input(_PROMPT).strip()
            read = sys.stdin.readline()
            return read.strip() if read else None
        except EOFError:
            click.echo()
            return None
        except KeyboardInterrupt:
            if not typed:
                raise
            click.echo("\n(Ctrl-D ends)")


def _answered(settings: "Settings", question: str, before: Sequence[str], called: str) -> Sequence[str]:
    """Tell the answer; what the next question may be about. Ctrl-C stops it."""
    from dogwatch.app import Dogwatch
    from dogwatch.report.answer import answer

    async def asked() -> "Answer":
        async with Dogwatch(settings) as app:
            return await app.ask(question, before)

    try:
        found = asyncio.run(asked())
    except KeyboardInterrupt:
        click.echo("\nstopped")
        return before
    except DogwatchError as error:
        complain(error, verbose=False)
        return before
    out = console()
    out.print(answer(found, out.width, called), soft_wrap=True)
    return found.about or before


def _history() -> Path | None:
    """The file of earlier questions, which the line editor then knows; None where there is no editor."""
    try:
        import readline
    except ImportError:
        return None
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    file = Path(state) / "dogwatch" / "questions"
    with suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(_KEPT)
    return file


def _keep(file: Path) -> None:
    """Write the questions down, for nobody else to read."""
    import readline

    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        readline.write_history_file(file)
