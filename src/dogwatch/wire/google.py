"""The way into Google Cloud: a service account's key buys access tokens (RFC 7523), or a token is given.

https://developers.google.com/identity/protocols/oauth2/service-account
"""

from datetime import timedelta

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from dogwatch.errors import SettingsError
from dogwatch.wire.answer import Answer
from dogwatch.wire.http import Doors, Http, Login
from dogwatch.wire.jwt import rs256
from dogwatch.wire.login import FixedToken, TokenLogin

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address
_LIFETIME = timedelta(minutes=55)
"""Google accepts no longer than an hour."""


class _Key(BaseModel):
    """The file that "Create new key" of a service account gives, as far as it is needed."""

    client_email: str
    private_key: str
    token_uri: str = _TOKEN_URL


_KEY = TypeAdapter(_Key)


def google_login(
    key: SecretStr | None, token: SecretStr | None, scope: str, doors: Doors, token_url: str | None = None
) -> Login | None:
    """What lets us in: the key, else the token, else nothing (an emulator asks for nothing).

    ``token_url`` replaces the one that the key names. Raises SettingsError if the key cannot be used.
    """
    if key is not None:
        return _service_account(key, scope, doors, token_url)
    return FixedToken(token, doors.secrets) if token is not None else None


def _service_account(key: SecretStr, scope: str, doors: Doors, token_url: str | None) -> TokenLogin:
    try:
        told = _KEY.validate_json(key.get_secret_value())
    except ValidationError:
        told = None
    if told is None:  # raised out here, because that error quotes what it chokes on
        raise SettingsError(
            "service_account_key is not the JSON of a service account's key",
            "paste the whole file on one line: tr -d '\\n' < key.json",
        )
    doors.secrets.add(told.private_key)
    sign, url = rs256(told.private_key, "service_account_key", "google"), token_url or told.token_uri

    async def buy(http: Http) -> Answer:
        """An access token for an hour."""
        now = doors.clock.now() + (http.skew or timedelta(0))
        claims = {
            "iss": told.client_email,
            "scope": scope,
            "aud": told.token_uri,
            "iat": int(now.timestamp()),
            "exp": int((now + _LIFETIME).timestamp()),
        }
        return await http.exchange(url, form={"grant_type": _GRANT, "assertion": sign(claims)})

    return TokenLogin(buy, clock=doors.clock, secrets=doors.secrets)
