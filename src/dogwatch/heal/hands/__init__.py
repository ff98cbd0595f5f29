"""What each platform lets us do, by supported calls only. One file, one platform, found by its name.

Hands take the connector's own door and settings. Connectors read and never write: whoever looks for what
dogwatch can change on a platform finds all of it here.
"""

import importlib
import importlib.util
from collections.abc import Mapping
from types import ModuleType

from pydantic import BaseModel

from dogwatch.wire.acting import CanAct, Verb
from dogwatch.wire.clock import Clock
from dogwatch.wire.http import Http


def hands_for(kind: str, http: Http, settings: BaseModel, clock: Clock) -> CanAct | None:
    """The hands of a connector of this kind; None if its platform offers nothing."""
    module = _module(kind)
    if module is None:
        return None
    hands: CanAct = module.Hands(http, settings, clock)
    return hands


def verbs_of(kind: str) -> Mapping[str, Verb]:
    """What a platform of this kind lets us do; nothing for most."""
    module = _module(kind)
    if module is None:
        return {}
    verbs: Mapping[str, Verb] = module.VERBS
    return verbs


def _module(kind: str) -> ModuleType | None:
    name = f"{__name__}.{kind}"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None
