"""Which model an agent talks to, made from the settings. Needs the extra ``agents``.

``provider:name`` with provider openai (Chat Completions), openai-responses, anthropic, google, or compatible
for any other endpoint that speaks OpenAI's Chat Completions, such as a local model. The vendors' own clients
wait as long as a 429's headers say (``max_retries``), Google's with help (``patience``); what a provider
still allows is read from its answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import SecretStr

from dogwatch.errors import SettingsError

if TYPE_CHECKING:
    import httpx2
    from pydantic_ai.models import Model

PROVIDERS = ("openai", "openai-responses", "anthropic", "google", "compatible")
INSTALL = 'pip install "dogwatch[agents]"'
_PATIENCE = 120.0
_NO_KEY = "none"
"""What an endpoint that wants no key is sent; its client insists on one."""
_HEADROOM = {
    "x-ratelimit-remaining-requests": "requests",
    "x-ratelimit-remaining-tokens": "tokens",
    "anthropic-ratelimit-requests-remaining": "requests",
    "anthropic-ratelimit-tokens-remaining": "tokens",
    "anthropic-ratelimit-input-tokens-remaining": "input_tokens",
    "anthropic-ratelimit-output-tokens-remaining": "output_tokens",
}
"""Documented by OpenAI (guides/rate-limits) and Anthropic (api/rate-limits); Google tells none."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the settings say of models."""

    model: str = ""
    """``provider:name``; empty: none is configured."""
    fallback: str = ""
    models: Mapping[str, str] = field(default_factory=dict[str, str])
    """By agent."""
    endpoints: Mapping[str, str] = field(default_factory=dict[str, str])
    """By provider, another base URL."""
    keys: Mapping[str, SecretStr] = field(default_factory=dict[str, SecretStr])
    """By provider."""
    usd_in: float | None = None
    usd_out: float | None = None
    """Price of a million tokens where the model's own is not known."""


def chosen(choice: Choice, agent: str, own: str = "") -> tuple[str, ...]:
    """The models of an agent, the first first. ``own`` is the one that its file names."""
    first = choice.models.get(agent) or own or choice.model
    return tuple(dict.fromkeys(one for one in (first, choice.fallback) if one))


def check_choice(choice: Choice) -> str:
    """Why no model can be asked; empty if one can. Raises SettingsError for a name of no known form."""
    names = [choice.model, choice.fallback, *choice.models.values()]
    for name in filter(None, names):
        provider = name.partition(":")[0]
        if provider not in PROVIDERS or not name.partition(":")[2]:
            raise SettingsError(
                f"agents: {name!r:.80} is not provider:name", f"providers are {', '.join(PROVIDERS)}"
            )
    if not choice.model:
        return "no model is configured (agents.model in dogwatch.yaml)"
    lacking = [name for name in filter(None, (choice.model, choice.fallback)) if not _usable(name, choice)]
    if len(lacking) == len(list(filter(None, (choice.model, choice.fallback)))):
        return f"there is no key for {lacking[0].partition(':')[0]}"
    return ""


def _usable(name: str, choice: Choice) -> bool:
    provider = name.partition(":")[0]
    key = choice.keys.get(provider.removesuffix("-responses"))
    return provider == "compatible" or key is not None


def build(names: tuple[str, ...], choice: Choice, client: "httpx2.AsyncClient") -> "Model":
    """One model, or one with a fallback. Raises SettingsError if the extra is not installed."""
    try:
        from pydantic_ai.models.fallback import FallbackModel
    except ImportError:
        raise SettingsError("agents need an extra that is not installed", INSTALL) from None
    usable = [name for name in names if _usable(name, choice)]
    models = [_model(name, choice, client) for name in usable or names]
    return models[0] if len(models) == 1 else FallbackModel(models[0], *models[1:])


def _model(name: str, choice: Choice, client: "httpx2.AsyncClient") -> "Model":
    provider, _, model = name.partition(":")
    known = choice.keys.get(provider.removesuffix("-responses"))
    key = known.get_secret_value() if known else _NO_KEY
    url = choice.endpoints.get(provider)
    if provider == "anthropic":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        return AnthropicModel(
            model, provider=AnthropicProvider(api_key=key, base_url=url, http_client=client)
        )
    if provider == "google":
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider

        from dogwatch.agents.patience import Patient

        google = GoogleProvider(api_key=key, base_url=url, http_client=client)
        return Patient(GoogleModel(model, provider=google))
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    openai = OpenAIProvider(api_key=key, base_url=url, http_client=client)
    if provider == "openai-responses":
        return OpenAIResponsesModel(model, provider=openai)
    return OpenAIChatModel(model, provider=openai)


def client_for(headroom: dict[str, float], choice: Choice) -> "httpx2.AsyncClient":
    """The HTTP client of all providers. Each answer writes into ``headroom`` what is still allowed, as
    ``provider:requests``; ``openai`` stands for both of OpenAI's interfaces."""
    import httpx2

    local = choice.endpoints.get("compatible")

    async def note(response: httpx2.Response) -> None:
        for header, name in _HEADROOM.items():
            text = response.headers.get(header, "")
            if text.isdecimal():
                provider = "anthropic" if header.startswith("anthropic") else "openai"
                if local is not None and str(response.request.url).startswith(local):
                    provider = "compatible"
                headroom[f"{provider}:{name}"] = float(text)

    return httpx2.AsyncClient(timeout=_PATIENCE, event_hooks={"response": [note]})
