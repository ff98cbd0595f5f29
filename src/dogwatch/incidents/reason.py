"""What a failure says about its reason: the class, the sentence without its values, and what it names.

Two failures have one reason if they say the same sentence about the same thing, or lack the same credential
or service. A class alone is too little: two jobs may run out of memory on one evening for two reasons.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from dogwatch.causes.classify import classify
from dogwatch.model import CauseClass

SHARED = frozenset(
    {
        CauseClass.auth_permission,
        CauseClass.quota_rate_limit,
        CauseClass.dependency_outage,
        CauseClass.network_timeout,
        CauseClass.platform_fault,
        CauseClass.resource_exhaustion,
    }
)
"""Reasons that lie in what many jobs use together: an account, an allowance, a server, the way to it."""
SURE = 3
"""The strength from which a classification names one cause."""
_READ = 2_000
"""Characters of an error that are compared; what follows are stack frames."""
_NAMED = re.compile(r"[\"'`“”‘’]([^\"'`“”‘’\n]{1,120})[\"'`“”‘’]")
_HOST = re.compile(
    r"(?<![\w.@-])[a-z][a-z0-9-]{0,62}(?:\.[a-z0-9-]{1,63}){0,6}"
    r"(?::\d{2,5}\b|\.(?:com|net|org|io|dev|app|cloud|internal|local|lan|corp|[a-z]{2})(?:\.[a-z]{2})?(?![\w.-]))"
)
"""A host: by its port, or by how it ends; ``java.lang.Error`` is none."""
_ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{2,5})?(?![\w.])")
_VALUE = re.compile(r"\b(?=[\w-]*\d)[\w-]+\b")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Reason:
    """What one failure says."""

    cause_class: CauseClass | None
    """None if the text says nothing that is known."""
    strength: int
    """What the words that decided it are worth, see ``causes.classify``."""
    sentence: str
    """The text without what differs from run to run; empty if the platform says nothing."""
    names: frozenset[str] = field(default_factory=frozenset[str])
    """Hosts and quoted names in it."""
    values: frozenset[str] = field(default_factory=frozenset[str])
    """Words with digits in it: names of things, or of nothing that lasts."""

    @property
    def shared(self) -> bool:
        """Whether it lies in something that many jobs use together, as far as the words say so."""
        return self.cause_class in SHARED and self.strength >= SURE


@lru_cache(maxsize=20_000)
def reason_of(text: str, platform: str) -> Reason:
    """What an error text says. The same text always says the same."""
    said = classify(text, platform)
    head = text[:_READ].casefold()
    names = (
        {found.strip() for found in _NAMED.findall(head)}
        | set(_HOST.findall(head))
        | set(_ADDRESS.findall(head))
    )
    plain = _ADDRESS.sub("*", _HOST.sub("*", _NAMED.sub("*", head)))
    sentence = _SPACE.sub(" ", _VALUE.sub("*", plain)).strip()
    values = frozenset(_VALUE.findall(plain))
    return Reason(said.cause_class, said.strength, sentence, frozenset(names), values)


SILENT = Reason(None, 0, "")
"""The platform gives no reason."""
