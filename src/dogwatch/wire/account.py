"""One Snowflake account: where it answers, and the ways in (``sqlapi.yaml`` of snowflake-rest-api-specs)."""

import re
from urllib.parse import urlsplit

from pydantic import SecretStr, model_validator

from dogwatch.wire.answer import Answer
from dogwatch.wire.connector import ConnectorSettings
from dogwatch.wire.http import Doors, Http, Login, Pace
from dogwatch.wire.keypair import KeyPair
from dogwatch.wire.login import FixedToken, TokenLogin

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
PACE = Pace(per_second=10.0, concurrency=4, timeout=75.0)
"""A synchronous statement is answered after 45 s at the latest, by its result or by a handle."""
_PAT_HEADER = {"X-Snowflake-Authorization-Token-Type": "PROGRAMMATIC_ACCESS_TOKEN"}
_OAUTH_HEADER = {"X-Snowflake-Authorization-Token-Type": "OAUTH"}


class AccountSettings(ConnectorSettings):
    """How to reach one account. Which way in is taken follows from the credentials that are set."""

    account: str
    """The account identifier, e.g. MYORG-MYACCOUNT (Snowsight: account menu > View account details). A host
    name such as myorg-myaccount.snowflakecomputing.com is understood too."""
    user: str
    """A user of TYPE = SERVICE made for dogwatch."""
    role: str | None = None
    """The role to use. Left out: the user's default role."""
    warehouse: str
    """The warehouse that answers; an X-SMALL with AUTO_SUSPEND = 60 is enough."""
    database: str
    """The database in which statements are executed."""
    private_key: SecretStr | None = None
    """A PKCS#8 private key in PEM, for key-pair authentication (recommended): make it with openssl and set
    the public half by ALTER USER … SET RSA_PUBLIC_KEY. Needs pip install "dogwatch[snowflake]"."""
    private_key_passphrase: SecretStr | None = None
    """If the private key is encrypted."""
    access_token: SecretStr | None = None
    """A programmatic access token instead: ALTER USER … ADD PROGRAMMATIC ACCESS TOKEN, restricted to the
    role."""
    oauth_client_id: str | None = None
    """OAuth instead: the client of a security integration, or of an external identity provider."""
    oauth_client_secret: SecretStr | None = None
    """Beside the client id."""
    oauth_refresh_token: SecretStr | None = None
    """For Snowflake OAuth. Left out: client credentials at oauth_token_url."""
    oauth_token_url: str | None = None
    """An external provider's token endpoint. Left out: the account's own."""
    oauth_scope: str | None = None
    """The scope an external provider wants, e.g. session:role:DOGWATCH."""
    url: str | None = None
    """Only behind a private link or a proxy. Left out: it follows from the account."""

    @model_validator(mode="after")
    def _one_way_in(self) -> "AccountSettings":
        ways = [
            name
            for name in ("private_key", "access_token", "oauth_client_id")
            if getattr(self, name) is not None
        ]
        if len(ways) != 1:
            given = " and ".join(ways) or "no credentials"
            raise ValueError(f"{given}: set exactly one of private_key, access_token, oauth_client_id")
        if self.oauth_client_id is not None and self.oauth_client_secret is None:
            raise ValueError("oauth_client_secret is missing")
        if self.oauth_client_id is not None and not (self.oauth_refresh_token or self.oauth_token_url):
            raise ValueError("oauth_refresh_token or oauth_token_url is missing")
        if not IDENTIFIER.fullmatch(self.database.strip('"')):
            raise ValueError("database is not a plain name: letters, digits, _ and $ only")
        return self

    @property
    def base(self) -> str:
        """Where the account answers; TLS knows no underscores."""
        if self.url is not None:
            return self.url.rstrip("/")
        host = urlsplit(self.account if "//" in self.account else f"//{self.account}").hostname or ""
        name = host.removesuffix(".snowflakecomputing.com").replace("_", "-")
        return f"https://{name}.snowflakecomputing.com"

    @property
    def issuer(self) -> str:
        """The account as it stands in a JWT: upper case, without region (cut at the first dot, for a global
        account at the first hyphen)."""
        host = urlsplit(self.account if "//" in self.account else f"//{self.account}").hostname or ""
        name = host.removesuffix(".snowflakecomputing.com")
        cut = name.partition("-")[0] if ".global" in name else name.partition(".")[0]
        return cut.upper()


def login_of(settings: AccountSettings, doors: Doors) -> Login:
    """The way in that the credentials which are set make possible."""
    if settings.access_token is not None:
        return FixedToken(settings.access_token, doors.secrets, _PAT_HEADER)
    if settings.private_key is not None:
        return KeyPair(
            settings.private_key,
            settings.private_key_passphrase,
            account=settings.issuer,
            user=settings.user,
            clock=doors.clock,
            secrets=doors.secrets,
        )
    return _oauth(settings, doors)


def _oauth(settings: AccountSettings, doors: Doors) -> TokenLogin:
    secret, refresh = settings.oauth_client_secret, settings.oauth_refresh_token
    client = (settings.oauth_client_id or "", secret.get_secret_value() if secret else "")
    form = {"grant_type": "client_credentials"}
    if refresh is not None:
        form = {"grant_type": "refresh_token", "refresh_token": refresh.get_secret_value()}
    if settings.oauth_scope:
        form["scope"] = settings.oauth_scope
    for value in (client[1], form.get("refresh_token")):
        if value:
            doors.secrets.add(value)

    async def buy(http: Http) -> Answer:
        return await http.exchange(settings.oauth_token_url or "oauth/token-request", form=form, basic=client)

    return TokenLogin(buy, clock=doors.clock, secrets=doors.secrets, extra=_OAUTH_HEADER)
