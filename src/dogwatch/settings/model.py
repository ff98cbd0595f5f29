"""What the settings are, and how their variables are called."""

import re
import types
import typing
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, SerializeAsAny, field_validator
from pydantic.fields import FieldInfo

from dogwatch.hooks.base import HookSettings
from dogwatch.hub.lineage import OpenLineageSettings
from dogwatch.model.described import Described
from dogwatch.notify.base import ChannelSettings
from dogwatch.settings.agents import AgentsSettings
from dogwatch.settings.keeping import Keeping, checked
from dogwatch.settings.pipelines import Flows
from dogwatch.settings.telling import Telling
from dogwatch.settings.watch import Night
from dogwatch.settings.watching import Watching
from dogwatch.settings.zones import known_zone
from dogwatch.wire.connector import ConnectorSettings

POLICY = "policy.yaml"
"""What may be done without asking; beside dogwatch.yaml."""
FILE = "dogwatch.yaml"
PREFIX = "DOGWATCH_"
NAME = re.compile(r"[a-z][a-z0-9_-]*")
"""What a connector may be called."""


class General(Described):
    """What concerns the whole house."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str = "UTC"
    """IANA zone in which people read times, such as Europe/Berlin. Left out: the zone of this machine."""
    store: str = Field(default="dogwatch.db", min_length=1)
    """The SQLite file that remembers every run, or a PostgreSQL database as postgresql://user@host/database
    (extra postgres). A relative path begins at the folder of dogwatch.yaml; the file is made, its
    folder has to exist."""
    store_password: SecretStr | None = None
    """The password of a PostgreSQL store, unless the server asks for none or ~/.pgpass has it."""
    history_days: int = Field(default=30, ge=1, le=365)
    """Days of the past to learn when a platform is seen for the first time, 1 to 365."""
    runbooks: str = ""
    """Folder of your own runbooks: Markdown files with job:, class: or label: at the top. A relative path
    begins at the folder of dogwatch.yaml. Left out: those that come with dogwatch."""

    @field_validator("store")
    @classmethod
    def _known_store(cls, value: str) -> str:
        return checked(value)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return known_zone(value)


class ConnectorConfig(Described):
    """One platform to watch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """The key in dogwatch.yaml; becomes ``Run.instance``."""
    kind: str
    """The file in ``connectors/`` that reads it."""
    settings: SerializeAsAny[ConnectorSettings]
    """An instance of that connector's own ``Settings``."""


class ChannelConfig(Described):
    """One way to tell people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """The key in dogwatch.yaml."""
    kind: str
    """The file in ``notify/`` that sends there."""
    settings: SerializeAsAny[ChannelSettings]
    """An instance of that channel's own ``Settings``."""


class HookConfig(Described):
    """One caller that may tell us of events."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """The key in dogwatch.yaml, and the end of the address: /hooks/<name>."""
    kind: str
    """The file in ``hooks/`` that understands it."""
    settings: SerializeAsAny[HookSettings]
    """An instance of that hook's own ``Settings``."""


class HubConfig(Described):
    """Where a copy of the audit trail is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    """The file in ``hub/`` that writes there."""
    settings: SerializeAsAny[BaseModel]
    """An instance of that hub's own ``Settings``."""


class Top(General, Watching, Flows, Telling, Night, Keeping):
    """All that stands in dogwatch.yaml beside the connectors and channels."""


class Settings(Top):
    """Everything a round needs to know beforehand."""

    connectors: Mapping[str, ConnectorConfig]
    """By name, in the order of dogwatch.yaml."""
    channels: Mapping[str, ChannelConfig] = Field(default_factory=dict[str, ChannelConfig])
    """By name, in the order of dogwatch.yaml."""
    hooks: Mapping[str, HookConfig] = Field(default_factory=dict[str, HookConfig])
    """By name, in the order of dogwatch.yaml."""
    hub: HubConfig | None = None
    """None: there is no copy; the store holds everything anyway."""
    openlineage: OpenLineageSettings | None = None
    """None: nobody is told of runs by OpenLineage."""
    agents: AgentsSettings = AgentsSettings()
    """Agents that investigate incidents."""
    home: str = "."
    """The folder of dogwatch.yaml, where policy.yaml may stand."""
    hook_secrets: Mapping[str, SecretStr] = Field(default_factory=dict[str, SecretStr])
    """By webhook of the policy file, what its calls are signed with."""

    @property
    def zone(self) -> ZoneInfo:
        """The reader's time zone."""
        return ZoneInfo(self.timezone)


def prefix_of(name: str) -> str:
    """What the variables of a connector begin with: ``DOGWATCH_MY_PIER_`` for my-pier."""
    return f"{PREFIX}{name.upper().replace('-', '_')}_"


def variable(name: str, field_name: str) -> str:
    """The environment variable of a connector's field: ``DOGWATCH_<NAME>_<FIELD>``."""
    return f"{prefix_of(name)}{field_name.upper()}"


def is_secret(info: FieldInfo) -> bool:
    """Whether the field may come from the environment or ``.env`` only."""
    return SecretStr in atoms(info.annotation)


def atoms(annotation: Any) -> set[Any]:
    """The types that an annotation is made of, unions and containers opened."""
    parts = typing.get_args(annotation)
    if not parts:
        return {annotation}
    origin = typing.get_origin(annotation)
    inner = {atom for part in parts for atom in atoms(part)}
    return inner if origin in {typing.Union, types.UnionType} else inner | {origin}


def first_sentence(text: str) -> str:
    """The beginning of a description, up to its first full stop or semicolon."""
    return re.split(r"(?<=[.;])\s", " ".join(text.split()), maxsplit=1)[0].rstrip(".;")
