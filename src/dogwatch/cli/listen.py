"""``dogwatch listen``: hear the buttons that people press in Slack."""

import asyncio
from typing import TYPE_CHECKING

import click

from dogwatch.cli.shell import read_settings, tell
from dogwatch.errors import SettingsError

if TYPE_CHECKING:
    from dogwatch.notify.slack import SlackSettings
    from dogwatch.settings import Settings


@click.command("listen")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Hear the approve and reject buttons that people press in Slack, until interrupted.

    By Socket Mode: nothing has to reach this machine. Needs the app_token of a Slack channel, the extra
    slack, and the people who may press under people: in policy.yaml.
    """
    settings = read_settings(ctx)
    slack = _slack(settings)
    assert slack.app_token is not None  # ``_slack``
    token = slack.app_token.get_secret_value()

    from dogwatch.app import Dogwatch
    from dogwatch.listening import listen

    async def run() -> None:
        async with Dogwatch(settings) as app:
            tell("listening to Slack; Ctrl-C ends it")
            await listen(token, app.press, tell, base_url=f"{slack.url.rstrip('/')}/")

    asyncio.run(run())


def _slack(settings: "Settings") -> "SlackSettings":
    """The one channel with an app token. Raises SettingsError."""
    from dogwatch.notify.slack import SlackSettings

    found = [
        one.settings
        for one in settings.channels.values()
        if isinstance(one.settings, SlackSettings) and one.settings.app_token is not None
    ]
    if len(found) != 1:
        raise SettingsError(
            "no channel of Slack has an app token" if not found else "several channels have an app token",
            "set DOGWATCH_SLACK_APP_TOKEN for one: api.slack.com/apps > Basic Information > App-Level Tokens",
        )
    return found[0]
