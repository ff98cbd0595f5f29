"""A connector that exists in the tests alone: settings of every sort, and nothing to read."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from dogwatch.wire.connector import Connector, ConnectorSettings
from dogwatch.wire.http import Http, Pace


class LighthouseSettings(ConnectorSettings):
    """A tower by the sea."""

    url: str
    """Where the tower stands. The harbour master knows."""
    keeper: str | None = None
    """Who tends it."""
    lamp: Literal["oil", "electric"] = "oil"
    """What burns in it."""
    ships: Sequence[str] = ()
    """Whom it guides."""
    metres: int = Field(default=30, ge=1, le=200)
    """How tall it is, 1 to 200."""
    token: SecretStr
    """Made at the harbour office, desk 3. The right to look is enough."""
    spare_token: SecretStr | None = Field(default=None, json_schema_extra={"environment": "HARBOUR_TOKEN"})
    """Set by the harbour's own machine."""

    @model_validator(mode="after")
    def _somebody_has_to_light_it(self) -> "LighthouseSettings":
        if self.lamp == "oil" and self.keeper is None:
            raise ValueError("an oil lamp needs a keeper")
        return self


class Lighthouse(Connector[LighthouseSettings]):
    """Reads nothing."""

    Settings = LighthouseSettings
    title = "Lighthouse"

    @property
    def http(self) -> Http:
        return self.doors.open(self.settings.url, login=None, pace=Pace())

    async def check(self) -> str:
        return "it shines"
