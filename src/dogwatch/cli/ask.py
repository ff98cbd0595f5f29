"""``dogwatch ask``: a question in plain words, answered from what is remembered. Asks no platform."""

import asyncio
from typing import TYPE_CHECKING

import click

from dogwatch.cli.progress import ProgressLine
from dogwatch.cli.shell import format_option, opened, program, read_settings, server_option, show, tell

if TYPE_CHECKING:
    from dogwatch.model.answer import Answer


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
    dogwatch.yaml) agents may add sentences, each on evidence that holds it; a --server answers by rules. Asks
    no platform.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch

    async def asked() -> "Answer":
        with ProgressLine(()) as line:
            async with opened(ctx, settings) as app:
                told = await app.ask(" ".join(question) or "help")
                if rules or not isinstance(app, Dogwatch):
                    return told
                return await app.discuss(told, (), lambda said: line.note("at work", said))

    found = asyncio.run(asked())
    if output == "json":
        tell(found.model_dump_json(indent=2))
        return
    from dogwatch.report import answer

    called = program(ctx)
    if output == "md":
        tell(answer.markdown(found, called))
    else:
        show(lambda width: answer.answer(found, width, called))
