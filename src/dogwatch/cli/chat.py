"""``dogwatch chat``: one question after the other."""

import asyncio
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import complain, console, program, read_settings
from dogwatch.errors import DogwatchError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from dogwatch.model.answer import Answer, Statement
    from dogwatch.settings import Settings

_PROMPT = "? "
_ENDS = frozenset({"exit", "quit", "bye", ":q"})
_KEPT = 1_000
"""Questions of earlier conversations that the arrow keys bring back."""


@click.command("chat")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Ask one question after the other, as with ask; `and who is hit?` goes on about the same.

    If a model is set, agents may add sentences to what the rules say; what they look up is shown meanwhile,
    and each sentence as soon as it is written and its evidence holds it.
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
    """Tell the answer of the rules at once, then what agents do, and what they add sentence by sentence.
    Ctrl-C stops it; what was told by then stays in the conversation."""
    from dogwatch.app import Dogwatch
    from dogwatch.report.answer import addition, afterwards, answer

    out, found = console(), list["Answer"]()
    before = next((one.about for one in reversed(told) if one.about), ())

    def heard(one: "Statement") -> None:
        found[0] = found[0].model_copy(update={"added": (*found[0].added, one)})
        _print(out, addition(one, out.width))

    async def asked() -> None:
        async with Dogwatch(settings) as app:
            found.append(first := await app.ask(question, before))
            _print(out, [answer(first, out.width, called)])
            more = await app.discuss(first, told, lambda said: click.echo(f"  · {said}"), heard)
            _print(out, afterwards(more, first, out.width, len(found[0].added)))
            found[0] = more

    try:
        asyncio.run(asked())
    except KeyboardInterrupt:
        click.echo("\nstopped")
    except DogwatchError as error:
        complain(error, verbose=False)
    return found


def _print(out: "Console", lines: "Iterable[Text]") -> None:
    """As they stand, at once."""
    for line in lines:
        out.print(line, soft_wrap=True)


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
