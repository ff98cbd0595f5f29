"""``dogwatch notify``: how the channels are, and a test message."""

import asyncio

import click

from dogwatch.cli.shell import opened, program, read_settings, server_option, shared, show, tell, text_or_json


@click.group("notify")
def command() -> None:
    """Channels to people: how each one is, and a test message."""


@command.command("status")
@server_option
@text_or_json
@click.pass_context
def status(ctx: click.Context, output: str) -> None:
    """Say of each channel whether it works, what waits for it, and how much of its budget is spent.

    Nothing is sent. Exit code: 0 all work, 3 some do not, 2 dogwatch could not run.
    """
    settings = read_settings(ctx)

    from dogwatch.app import ChannelsReport

    async def look() -> ChannelsReport:
        async with opened(ctx, settings) as app:
            return await app.notify_status()

    report = asyncio.run(look())
    if output == "json":
        tell(report.model_dump_json(indent=2))
    else:
        from dogwatch.report.channels import channels

        show(lambda width: channels(report, width, program(ctx)))
    ctx.exit(0 if all(one.state == "on" for one in report.channels) else 3)


@command.command("test")
@click.argument("channel")
@text_or_json
@click.pass_context
def test(ctx: click.Context, channel: str, output: str) -> None:
    """Send a test message by one channel.

    A channel that was switched off is on again if the message arrives. Exit code: 0 it was taken, 3 it was
    not, 2 dogwatch could not run.
    """
    settings = read_settings(ctx)

    from dogwatch.app import Dogwatch, TrialReport

    async def send() -> TrialReport:
        async with Dogwatch(settings) as app:
            return await app.notify_test(channel)

    report = asyncio.run(send())
    if output == "json":
        tell(report.model_dump_json(indent=2))
    else:
        from dogwatch.report.channels import trial

        show(lambda width: trial(report, width))
    ctx.exit(0 if report.ok else 3)


for _command in (status, test):
    shared(_command)
