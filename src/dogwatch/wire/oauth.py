"""Token requests that several platforms understand. Each returns the issuer's answer for a ``TokenLogin``."""

from urllib.parse import quote

from pydantic import BaseModel, Field, TypeAdapter

from dogwatch.wire.answer import Answer
from dogwatch.wire.http import Http


class _IdToken(BaseModel):
    value: str = Field(repr=False)


_ID_TOKEN = TypeAdapter(_IdToken)


async def entra_token(
    http: Http, authority: str, tenant: str, client: tuple[str, str], resource: str
) -> Answer:
    """Client credentials of a Microsoft Entra app registration (v2.0 endpoint) for one resource.

    ``authority`` is https://login.microsoftonline.com outside sovereign clouds, ``client`` id and secret.
    Raises a ConnectorError.
    """
    form = {"grant_type": "client_credentials", "client_id": client[0], "client_secret": client[1]}
    url = f"{authority.rstrip('/')}/{quote(tenant, safe='')}/oauth2/v2.0/token"
    return await http.exchange(url, form={**form, "scope": f"{resource}/.default"})


async def github_id_token(http: Http, request_url: str, request_token: str, audience: str) -> str:
    """The ID token of the GitHub Actions job that we run in, made out to ``audience``.

    URL and token are what the runner sets as ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN
    in a job with ``permissions: id-token: write``. Raises a ConnectorError.
    """
    url = f"{request_url}{'&' if '?' in request_url else '?'}audience={quote(audience, safe='')}"
    answer = await http.exchange(url, method="GET", headers={"Authorization": f"Bearer {request_token}"})
    return answer.parse(_ID_TOKEN).value


async def exchanged_token(http: Http, token_url: str, client_id: str, id_token: str, scope: str) -> Answer:
    """A token of the platform for an ID token of another issuer (RFC 8693). Raises a ConnectorError."""
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "subject_token": id_token,
        "client_id": client_id,
        "scope": scope,
    }
    return await http.exchange(token_url, form=form)
