"""A slash command in Slack, such as ``/dataops-check``: a round for whoever asks, or a score for what was
said of an incident (``/dataops-check feedback INC-7 80 well spotted``).

Facts: docs.slack.dev, slash commands and verifying requests. It is answered at once and only to who asked;
the result follows by ``response_url``, which is good for 30 minutes and five messages.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from dogwatch.hooks.base import Heard, Hook, HookSettings, Post, Refused, Scored
from dogwatch.hooks.signing import slack
from dogwatch.model.text import one_line


class SlackSettings(HookSettings):
    """Which app of Slack may call."""

    secret: SecretStr
    """The app's signing secret: api.slack.com/apps > Basic Information > Signing Secret."""
    connectors: tuple[str, ...] | None = None
    """The connectors (their names in this file) that may be asked. Left out: all."""
    command: str = "/dataops-check"
    """The command, as the app has it."""
    url: str = "https://hooks.slack.com"
    """Where answers have to go; a call that wants them elsewhere is refused."""


class Slack(Hook[SlackSettings]):
    """Takes a slash command."""

    Settings = SlackSettings
    title = "Slack"

    def hear(self, post: Post) -> Heard:
        """Who asks for what. Raises Refused."""
        signature = slack(post, self.settings.secret.get_secret_value())
        try:
            form = parse_qs(post.body.decode(), max_num_fields=50)
        except ValueError:
            raise Refused(400, "the body is no form") from None
        told = {key: values[-1] for key, values in form.items()}
        if told.get("ssl_check") == "1":
            return Heard(key="", says="a look whether we are there", ignored=True)
        if told.get("command") != self.settings.command:
            raise Refused(400, f"this is not {self.settings.command}")
        if (scored := _scored(told)) is not None:
            return Heard(key=signature, says="a score", scored=scored)
        wanted = tuple(told.get("text", "").split()[:20])
        reply_to = told.get("response_url", "")
        here, there = urlsplit(self.settings.url), urlsplit(reply_to)
        if (there.scheme, there.netloc) != (here.scheme, here.netloc):
            raise Refused(400, "the answer is wanted at an address that is not Slack's")
        allowed = self.settings.connectors
        strange = [] if allowed is None else [one for one in wanted if one not in allowed]
        if strange:
            text = f"{one_line(strange[0], 40)} may not be asked from here; known: {', '.join(allowed or ())}"
            return Heard(key="", says=text, ignored=True, answer={"response_type": "ephemeral", "text": text})
        return Heard(
            key=signature,
            says=one_line(
                f"{told.get('user_name') or told.get('user_id')} asked by {self.settings.command}", 120
            ),
            connectors=wanted or allowed,
            reply_to=reply_to[:1_000],
            answer={
                "response_type": "ephemeral",
                "text": "On it: the answer follows when all has been read.",
            },
        )


_FEEDBACK = re.compile(r"\s*feedback\s+(?:INC-)?(\d{1,9})\s+(\d{1,3})\b(.{0,500})", re.IGNORECASE | re.DOTALL)


def _scored(told: Mapping[str, str]) -> Scored | None:
    """The score that a command gives; None if it gives none. Who gives it is who Slack says it is."""
    match = _FEEDBACK.match(told.get("text", ""))
    if match is None:
        return None
    by = one_line(f"slack:{told.get('team_id', '')}/{told.get('user_id', '')}", 80)
    return Scored(int(match[1]), int(match[2]), one_line(match[3], 500), by)
