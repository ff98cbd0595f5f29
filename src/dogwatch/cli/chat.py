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

    If a model is set, agents may add sentences to what the rules say; what they look up is shown meanwhile.
    The arrow keys bring earlier questions back. Ctrl-C stops an answer or drops a line, Ctrl-D ends. From a
    pipe, each line is a question.
    """
    settings = read_settings(ctx)
    called = program(ctx)
    typed = sys.stdin.isatty()
    history = _history() if typed else None
    if typed:
        click.echo("Ask in plain words; `help` lists what can be answered, Ctrl-D ends.")
    told: list[Answer] = []
    while (question := _line(typed)) is not None:
        if question.lower() in _ENDS:
            break
        if question:
            if not typed:
                click.echo(f"{_PROMPT}{question}")
            told += _answered(settings, question, told, called)
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


def _answered(settings: "Settings", question: str, told: "Sequence[Answer]", called: str) -> "list[Answer]":
    """Tell the answer of the rules at once, then what agents do, then what they add. Ctrl-C stops it; what
    was answered by then stays in the conversation."""
    from dogwatch.app import Dogwatch
    from dogwatch.report.answer import added, answer

    out, found = console(), list["Answer"]()
    before = next((one.about for one in reversed(told) if one.about), ())

    async def asked() -> None:
        async with Dogwatch(settings) as app:
            found.append(await app.ask(question, before))
            out.print(answer(found[0], out.width, called), soft_wrap=True)
            more = await app.discuss(found[0], told, lambda said: click.echo(f"  · {said}"))
            if more is not found[0]:
                found[0] = more
                for line in added(more, out.width):
                    out.print(line, soft_wrap=True)

    try:
        asyncio.run(asked())
    except KeyboardInterrupt:
        click.echo("\nstopped")
    except DogwatchError as error:
        complain(error, verbose=False)
    return found


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
