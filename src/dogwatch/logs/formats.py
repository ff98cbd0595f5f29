"""The text formats of logs: how the header of a line looks, so that the message behind it can be mined alone.

A format is one expression that matches the header of a line and names its parts. Which one a log has is
decided by its first lines; a header is only believed if most lines have it, so that a log of bare messages
keeps its messages whole.
"""

import re
from collections.abc import Mapping
from functools import cached_property

_PARTS = {
    b"~DATE~": rb"\d{4}[-/.]\d\d[-/.]\d\d",
    b"~CLOCK~": rb"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?",
    b"~STAMP~": rb"(?:~DATE~|\d\d/\d\d/\d\d)[T ]~CLOCK~(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?",
    b"~SYSLOG~": rb"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d",
    b"~CTIME~": rb"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d ~CLOCK~ \d{4}",
    b"~LEVEL~": rb"(?P<level>(?i:trace|debug|verbose|info|information|notice|warn|warning|error|err"
    rb"|severe|fatal|critical|crit|alert|emerg|emergency|panic))",
    b"~CAPITAL~": rb"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|FATAL|CRITICAL|FAILURE|ALERT)",
    b"~LOGGER~": rb"(?P<component>[\w.$\-/\[\]@<>]{1,120})",
}
"""What headers are made of."""


class Format:
    """One way of writing a line."""

    def __init__(self, name: str, begins: bytes = b"", header: bytes = b"") -> None:
        """``begins`` has the characters with which a header can begin; if it is empty, any can be."""
        self.name = name
        """The word by which a person asks for it."""
        self._begins = frozenset(begins)
        self._source = header

    @cached_property
    def header(self) -> re.Pattern[bytes] | None:
        """Matches from the beginning of a line to where its message begins; has some of the groups ``time``,
        ``level``, ``priority``, ``status`` and ``component``. None if the lines have no header.

        It is made when it is needed: most logs need one of many.
        """
        header = self._source
        while b"~" in header:
            for part, expression in _PARTS.items():
                header = header.replace(part, expression)
        return re.compile(rb"^" + header, re.MULTILINE) if header else None

    def fits(self, lines: list[bytes]) -> bool:
        """Whether most of these lines have this header."""
        enough = _ENOUGH * len(lines)
        begins = self._begins
        if begins and sum(1 for line in lines if line[0] in begins) < enough:
            return False
        header = self.header
        return header is not None and sum(1 for line in lines if header.match(line)) >= enough


_DIGITS = b"0123456789"
_MONTHS = b"JFMASOND"
_WEEKDAYS = b"MTWFS"
_ENOUGH = 0.6


_TEXT_FORMATS = (
    Format(
        "cri",
        _DIGITS,
        rb"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|[+-]\d\d:\d\d)) (?:stdout|stderr) [FP] ",
    ),
    Format(
        "klog",
        b"IWEF",
        rb"(?P<level>[IWEF])(?P<time>\d{4} \d\d:\d\d:\d\d\.\d{6}) +\d+ (?P<component>[\w.-]+:\d+)\] ",
    ),
    Format(
        "syslog5424",
        b"<",
        rb"<(?P<priority>\d{1,3})>1 (?P<time>\S+) \S+ (?P<component>\S+) \S+ \S+ "
        rb"(?:-|(?:\[[^\]\n]*\])+)(?: \xef\xbb\xbf| |$)",
    ),
    Format(
        "syslog",
        b"<" + _MONTHS + _DIGITS,
        rb"(?:<(?P<priority>\d{1,3})>)?(?P<time>~SYSLOG~|~STAMP~) (?!~CAPITAL~ )[\w:][\w.:-]* "
        rb"(?P<component>[\w./()@ -]{1,64}?)(?:\[\d+\])?: ",
    ),
    Format("airflow", b"[", rb"\[(?P<time>~STAMP~)\] \{(?P<component>[\w./-]+:\d+)\} ~LEVEL~ - "),
    Format(
        "dbt",
        _DIGITS,
        rb"(?P<time>\d\d:\d\d:\d\d(?:\.\d+)?) (?:\[~LEVEL~ *\] \[(?P<component>[^\]\n]+)\]: | )",
    ),
    Format(
        "access",
        b"",
        rb"\S+ \S+ \S+ \[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
        rb"(?=\"[^\"\n]*\" (?P<status>\d{3}) )",
    ),
    Format(
        "apache",
        b"[",
        rb"\[(?P<time>~CTIME~)\] \[(?:(?P<component>[\w-]+):)?~LEVEL~\] (?:\[pid [^\]\n]*\] )?",
    ),
    Format("nginx", _DIGITS, rb"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[~LEVEL~\] \d+#\d+: (?:\*\d+ )?"),
    Format(
        "postgres",
        _DIGITS,
        rb"(?P<time>~STAMP~)(?: [A-Z]{3,4})? \[\d+\](?: [^\n:]{0,80}?)? ?(?P<level>[A-Z]+\d?):  ",
    ),
    Format(
        "spring",
        _DIGITS,
        rb"(?P<time>~STAMP~) +(?P<level>~CAPITAL~) +\d+ --- (?:\[[^\]\n]*\] ?){1,3}~LOGGER~ *: ",
    ),
    Format(
        "java", _DIGITS, rb"(?P<time>~STAMP~) - (?P<level>~CAPITAL~) +\[(?P<component>[^\n]{1,160}?)\] - "
    ),
    Format("python", _DIGITS, rb"(?P<time>~STAMP~) - ~LOGGER~ - (?P<level>~CAPITAL~) - "),
    Format(
        "log4j",
        b"[" + _DIGITS,
        rb"\[?(?P<time>~STAMP~)\]? +(?:\[[^\]\n]{1,80}\] +)?\[?(?P<level>~CAPITAL~)\]?:? +"
        rb"(?:\[[^\]\n]{1,80}\] +)?(?:~LOGGER~(?: - |: ?)|- )?",
    ),
    Format(
        "stamped",
        b"[(" + _WEEKDAYS + _DIGITS,
        rb"[\[(]?(?P<time>~STAMP~|~CTIME~)[\])]?(?:[ :\-|]+\[?(?P<level>~CAPITAL~)\]?)?[ :\-|]+",
    ),
    Format("levelled", b"TDINWESFCA", rb"(?P<level>~CAPITAL~):(?P<component>[\w.]+):"),
    Format(
        "columns",
        b"",
        rb"(?:[\w-]{1,20} )?(?P<time>\d{10}|\d{6} \d{6}|~STAMP~)(?: (?!~CAPITAL~ )[^ \n]+){0,8}"
        rb" (?P<level>~CAPITAL~) (?:(?P<component>[\w.$\-]+): )?",
    ),
)

PLAIN = Format("plain")
TEXT_FORMATS = {known.name: known for known in (*_TEXT_FORMATS, PLAIN)}
"""In the order in which they are tried: the most particular first."""

_SYSLOG_LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_KLOG_LEVELS = {b"I": "info", b"W": "warning", b"E": "error", b"F": "fatal"}


def level_of_header(part: Mapping[str, bytes | None]) -> str:
    """The level that a header tells, by word, syslog priority, or HTTP status; empty if it tells none."""
    level = part.get("level")
    if level:
        return _KLOG_LEVELS.get(level) or level.decode("ascii", "replace").lower()
    priority = part.get("priority")
    if priority:
        return _SYSLOG_LEVELS[int(priority) % 8]
    status = part.get("status")
    if status:
        return {b"5": "error", b"4": "warning"}.get(status[:1], "info")
    return ""


_SAMPLED_LINES = 400
_CONTINUED = re.compile(rb"\s|at |Caused by: |Traceback \(|\.\.\. \d+ more|[\w.]+(?:Error|Exception): ")


def recognise(block: bytes) -> Format:
    """The format of a log by its first lines; ``plain`` if most of them have no header that we know."""
    lines = [line for line in block.split(b"\n", _SAMPLED_LINES)[:_SAMPLED_LINES] if line]
    heads = [line for line in lines if not _CONTINUED.match(line)]
    if not heads:
        return PLAIN
    return next((known for known in _TEXT_FORMATS if known.fits(heads)), PLAIN)
