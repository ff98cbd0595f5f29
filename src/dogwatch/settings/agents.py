"""What the user says of agents: which model, how much they may use, whether rounds ask them."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ConfigDict, Field, SecretStr

from dogwatch.model import Severity
from dogwatch.model.described import Described


class AgentsSettings(Described):
    """Agents that investigate incidents. Without a model everything is answered by rules alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = ""
    """The model, as provider:name, such as anthropic:claude-sonnet-4-5; providers are openai,
    openai-responses, anthropic, google and compatible. Left out: none, and rules answer alone."""
    fallback: str = ""
    """The model that is asked when the first one cannot be."""
    models: Mapping[str, str] = Field(default_factory=dict[str, str])
    """Models of single agents, by their names."""
    endpoints: Mapping[str, str] = Field(default_factory=dict[str, str])
    """Base URLs by provider, such as compatible: http://127.0.0.1:11434/v1 for a local model."""
    rounds: bool = False
    """Whether a round lets agents investigate new incidents."""
    severity: Severity = Severity.ERROR
    """The least severity of incidents that rounds let them investigate."""
    per_round: int = Field(default=2, ge=1, le=20)
    """Incidents that one round lets them investigate at most."""
    tokens: int = Field(default=200_000, ge=1_000, le=5_000_000)
    """Tokens of one investigation at most."""
    usd: float = Field(default=1.0, gt=0, le=100)
    """US dollars of one investigation at most, where prices are known."""
    seconds: float = Field(default=300.0, ge=1, le=3_600)
    """Seconds of one investigation at most."""
    usd_in: float | None = Field(default=None, ge=0)
    """Price of a million tokens that go in, for a model whose price is not known."""
    usd_out: float | None = Field(default=None, ge=0)
    """Price of a million tokens that come out."""
    traces: str = ""
    """Where traces of investigations go, by OpenTelemetry's protocol over HTTP: the URL before /v1/traces,
    such as http://127.0.0.1:6006 or https://cloud.langfuse.com/api/public/otel. Left out: nowhere."""
    traces_headers: SecretStr | None = Field(
        default=None, json_schema_extra={"environment": "OTEL_EXPORTER_OTLP_HEADERS"}
    )
    """Headers that they carry, as name=value,name=value; for Langfuse Authorization=Basic and base64 of the
    public key, a colon and the secret key."""
    folder: str = ""
    """Folder of your own agents: Markdown files with front matter; one with the name of ours replaces it. A
    relative path begins at the folder of dogwatch.yaml."""
    openai_key: SecretStr | None = Field(default=None, json_schema_extra={"environment": "OPENAI_API_KEY"})
    """Key for OpenAI."""
    anthropic_key: SecretStr | None = Field(
        default=None, json_schema_extra={"environment": "ANTHROPIC_API_KEY"}
    )
    """Key for Anthropic."""
    google_key: SecretStr | None = Field(default=None, json_schema_extra={"environment": "GOOGLE_API_KEY"})
    """Key for Google."""
    compatible_key: SecretStr | None = None
    """Key for the endpoint of provider compatible, if it wants one."""

    def at(self, home: Path) -> "AgentsSettings":
        """The same, the folder as seen from anywhere."""
        return self.model_copy(update={"folder": str(home / self.folder)}) if self.folder else self

    @property
    def keys(self) -> dict[str, SecretStr]:
        """By provider, those that there are."""
        found = {
            "openai": self.openai_key,
            "anthropic": self.anthropic_key,
            "google": self.google_key,
            "compatible": self.compatible_key,
        }
        return {name: key for name, key in found.items() if key is not None}
