"""What each platform lets us do, by supported calls only. One file, one platform, found by its name.

Hands take the connector's own door and settings. Connectors read and never write: whoever looks for what
dogwatch can change on a platform finds all of it here.
"""

import importlib
import importlib.util

from pydantic import BaseModel

from dogwatch.wire.acting import CanAct
from dogwatch.wire.clock import Clock
from dogwatch.wire.http import Http


def hands_for(kind: str, http: Http, settings: BaseModel, clock: Clock) -> CanAct | None:
    """The hands of a connector of this kind; None if its platform offers nothing."""
    if importlib.util.find_spec(f"{__name__}.{kind}") is None:
        return None
    module = importlib.import_module(f"{__name__}.{kind}")
    hands: CanAct = module.Hands(http, settings, clock)
    return hands
