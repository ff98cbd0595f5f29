"""The way into GitHub, by a token or as an app's installation, and how GitHub says "slow down".

https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api and
https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app
"""

import json
from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import BaseModel, Field, SecretStr, TypeAdapter

from dogwatch.errors import SettingsError
from dogwatch.model import UtcTime
from dogwatch.wire.answer import Answer, http_date
from dogwatch.wire.http import Doors, Http, Login
from dogwatch.wire.jwt import rs256
from dogwatch.wire.login import FixedToken, TokenLogin

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_JWT_LIFETIME = timedelta(minutes=9)
"""GitHub accepts no longer than ten minutes."""
_CLOCKS_APART = 60


class _AppToken(BaseModel):
    token: str = Field(repr=False)
    expires_at: UtcTime


_APP = TypeAdapter(_AppToken)


def github_login(
    token: SecretStr | None,
    private_key: SecretStr | None,
    app: str | None,
    installation: int | None,
    doors: Doors,
) -> Login | None:
    """The app if there is a key, else the token, else nothing: what is public may be read a little without.

    Raises SettingsError if the app is told only in part or the key cannot be used.
    """
    if private_key is None:
        return FixedToken(token, doors.secrets) if token is not None else None
    if app is None or installation is None:
        raise SettingsError("github: private_key without app_id and installation_id", "give all three")
    doors.secrets.add(private_key.get_secret_value())
    sign = rs256(private_key.get_secret_value(), "private_key", "github")

    async def buy(http: Http) -> Answer:
        """An installation's token for an hour, in the shape of RFC 6749."""
        now = doors.clock.now() + (http.skew or timedelta(0))
        claims = {
            "iat": int(now.timestamp()) - _CLOCKS_APART,
            "exp": int((now + _JWT_LIFETIME).timestamp()),
            "iss": app,
        }
        path = f"app/installations/{installation}/access_tokens"
        headers = {**HEADERS, "Authorization": f"Bearer {sign(claims)}"}
        answer = await http.exchange(path, json={}, headers=headers)
        told = answer.parse(_APP)
        lasts = (told.expires_at - now).total_seconds()
        content = json.dumps({"access_token": told.token, "expires_in": lasts})
        return replace(answer, content=content.encode())

    return TokenLogin(buy, clock=doors.clock, secrets=doors.secrets)


def limited(answer: Answer, now: datetime) -> float | None:
    """Seconds to wait if the answer is one of GitHub's rate limits, which come as 403 as well as 429."""
    if answer.status not in {403, 429}:
        return None
    after = answer.headers.get("retry-after", "")
    if after.isdecimal():
        return float(after[:6])
    reset = answer.headers.get("x-ratelimit-reset", "")
    if answer.headers.get("x-ratelimit-remaining") != "0" or not reset.isdecimal():
        return None
    there = http_date(answer.headers.get("date", "")) or now
    return max(1.0, float(reset[:12]) - there.timestamp())
