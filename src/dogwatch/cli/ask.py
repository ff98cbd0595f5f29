"""``dogwatch ask``: a question in plain words, answered from what is remembered. Asks no platform."""

import asyncio
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from dogwatch.cli.progress import ProgressLine
from dogwatch.cli.shell import (
    console,
    format_option,
    opened,
    program,
    read_settings,
    server_option,
    show,
    tell,
)

if TYPE_CHECKING:
    from rich.text import Text

    from dogwatch.model.answer import Answer, Statement


@click.command("ask")
@server_option
@click.argument("question", nargs=-1)
@click.option("--rules", is_flag=True, help="Ask no model, even if one is set.")
@format_option
@click.pass_context
def command(ctx: click.Context, question: tuple[str, ...], rules: bool, output: str) -> None:
    """Answer a question such as "why was yesterday's sales late?".

    The answer follows by rules from what the last rounds found, and cites it. Without a QUESTION, and where
    one is not understood, the questions that can be answered are listed. If a model is set (agents.model in
    dogwatch.yaml) agents may add sentences, each on evidence that holds it; a terminal shows each as soon as
    it is written. A --server answers by rules. Asks no platform.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch

    called, words = program(ctx), " ".join(question) or "help"
    live = _Live(called) if output == "text" and sys.stdout.isatty() else None

    async def asked() -> "Answer":
        with ProgressLine(()) as line:
            async with opened(ctx, settings) as app:
                told = await app.ask(words)
                if live is not None:
                    line.clear()
                    live.begin(told)
                if rules or not isinstance(app, Dogwatch):
                    return told
                if live is not None:
                    return await app.discuss(told, (), live.step, live.heard)
                return await app.discuss(told, (), lambda said: line.note("at work", said))

    found = asyncio.run(asked())
    if live is not None:
        live.end(found)
    elif output == "json":
        tell(found.model_dump_json(indent=2))
    else:
        from dogwatch.report import answer

        if output == "md":
            tell(answer.markdown(found, called))
        else:
            show(lambda width: answer.answer(found, width, called))


class _Live:
    """Tells an answer while it comes, on a terminal: the rules' part at once, then what agents look up and
    each sentence that stands, then what all rests on."""

    def __init__(self, called: str) -> None:
        self._out = console()
        self._called = called
        self._heard = 0

    def begin(self, told: "Answer") -> None:
        """The rules' part."""
        from dogwatch.report.answer import opening

        self._print(opening(told, self._out.width))

    def step(self, said: str) -> None:
        """What an agent is doing."""
        click.echo(f"  · {said}", err=True)

    def heard(self, one: "Statement") -> None:
        """A sentence that an agent adds."""
        from dogwatch.report.answer import addition

        self._heard += 1
        self._print(addition(one, self._out.width))

    def end(self, found: "Answer") -> None:
        """The rest."""
        from dogwatch.report.answer import closing

        self._print(closing(found, self._out.width, self._called, self._heard))

    def _print(self, lines: "Iterable[Text]") -> None:
        for line in lines:
            self._out.print(line, soft_wrap=True)
