"""How bad a message is, and whose it is.

The level that the log tells decides. Where it tells none, or says that all is well while the text says how a
program died, the text decides.
"""

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Protocol

from dogwatch.errors import SettingsError
from dogwatch.logs.words import word_set

INFO, WARNING, ERROR, CRITICAL = "INFO", "WARNING", "ERROR", "CRITICAL"
SEVERITIES = (INFO, WARNING, ERROR, CRITICAL)
"""From harmless to worst; the names of ``model.Severity``."""

_LEVELS = {
    **dict.fromkeys(word_set("w wn warn warning"), WARNING),
    **dict.fromkeys(word_set("e err error severe failure failed fail"), ERROR),
    **dict.fromkeys(word_set("f c fatal crit critical alert emerg emergency panic"), CRITICAL),
}

_FATAL = re.compile(
    r"(?i)\b(?:fatal|panic|emergency|critical|out of memory|oom[- ]?kill(?:ed|er)?|segfault"
    r"|segmentation fault|core dumped|data loss|corrupt(?:ed|ion)?|kernel bug|no space left)\b"
)
_WRONG = re.compile(
    r"(?i)\b(?:errors?|errno|fail(?:ed|ure|ures|s|ing)?|exception|traceback|denied|refused|unreachable"
    r"|rejected|abort(?:ed)?|abnormal(?:ly)?|crash(?:ed)?|killed|cannot|can't|could not|couldn't"
    r"|unable to|unauthori[sz]ed|forbidden|invalid|not found|no such|timed? ?out|broken pipe"
    r"|unhealthy)\b|\b\w+(?:Error|Exception)\b"
)
_DOUBTFUL = re.compile(
    r"(?i)\b(?:warn(?:ing)?|deprecat\w*|retry(?:ing)?|slow|degraded|skipp(?:ed|ing)|missing"
    r"|expir(?:ed|es|ing)|throttl\w*|back-?off|stale|unexpected|suspect\w*)\b"
)
_NO_HARM = re.compile(
    r"(?i)\b(?:no|0|zero|without|any) (?:\w+ )?(?:errors?|failures?|exceptions?|warnings?)\b"
    r"|\b(?:errors?|failed|failures?|warnings?)[\"']?[=:] ?[\"']?(?:0|none|null|false|\[\]|\{\})\b"
    r"|\b0 failed\b"
)
_EXIT = re.compile(
    r"(?i)\b(?:exit(?:ed|ing|s)?|return(?:ed|s)?|terminat(?:ed|es)|finished|ended)\b[^.,;\n]{0,24}?"
    r"\b(?:code|status|signal)[ =:]{1,3}(?:is )?(-?\d{1,5})\b"
    r"|\b(?:exit_?code|exit_?status|return_?code|rc|exitcode)[ =:]{1,3}(-?\d{1,5})\b"
)
_RAISED = re.compile(r" \| [\w.$]*(?:Error|Exception)\b|^[\w.$]*(?:Error|Exception): ")


def severity_of_level(level: str) -> str | None:
    """Our word for a level in any spelling; None if there is none."""
    return _LEVELS.get(level.lower(), INFO) if level else None


def severity_of_text(text: str) -> str:
    """How bad a message sounds that comes without a level."""
    if _died(text):
        return ERROR
    heard = _NO_HARM.sub(" ", text)
    if _FATAL.search(heard):
        return CRITICAL
    if _WRONG.search(heard):
        return ERROR
    return WARNING if _DOUBTFUL.search(heard) else INFO


def severity(level: str, text: str) -> str:
    """How bad a message is, by its level if it has one, by its text if it has none or ends in a bad way."""
    told = severity_of_level(level)
    if told is None:
        return severity_of_text(text)
    return ERROR if told == INFO and _died(text) else told


def _died(text: str) -> bool:
    """Whether it names an exit status that is not 0, or ends in an exception that nobody caught."""
    codes = [code for match in _EXIT.finditer(text) for code in match.groups() if code]
    return any(int(code) != 0 for code in codes) or _RAISED.search(text) is not None


_THREADS = word_set("main mainthread thread pool worker")
_DETAIL = re.compile(r"[@:]\d+$|\[[^\]]*\]|\(.*\)$")


def component_of(told: str) -> str:
    """Whose message it is, from what the log's header says: without line numbers, threads and brackets."""
    name = _DETAIL.sub("", told.strip().rpartition("]")[2] or told.strip())
    name = name.rpartition(":")[2] if not name.endswith(":") else name.rstrip(":")
    return "" if name.lower() in _THREADS else name.strip("/ ")


class Components:
    """The names that an owner gives to the parts of a pipeline, by what their messages look like."""

    def __init__(self, patterns: Mapping[str, str]) -> None:
        """``patterns`` are RE2 expressions (linear time) by component, tried in order.

        Raises SettingsError if an expression is wrong, or if there are some and the extra is not installed.
        """
        self._patterns = [(name, _compile(name, pattern)) for name, pattern in patterns.items()]

    @property
    def by_text(self) -> bool:
        """Whether the text of a message says whose it is."""
        return bool(self._patterns)

    def of(self, told: str, text: str) -> str:
        """The component of a message, by the header's word for it and by its text."""
        for name, pattern in self._patterns:
            if pattern.search(told) or pattern.search(text):
                return name
        return component_of(told)


class _Pattern(Protocol):
    def search(self, text: str) -> object:
        """A match, or None."""
        ...


def _compile(name: str, pattern: str) -> _Pattern:
    try:
        re2 = import_module("re2")
    except ImportError as error:
        raise SettingsError(
            "patterns for log components need an extra", 'pip install "dogwatch[logs]"'
        ) from error
    try:
        options = re2.Options()
        options.log_errors = False
        compiled: _Pattern = re2.compile(pattern, options)
    except re2.error as error:
        raise SettingsError(
            f"the pattern of component {name} is not one that RE2 takes",
            "see https://github.com/google/re2/wiki/Syntax",
        ) from error
    return compiled
