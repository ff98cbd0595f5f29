"""Which tables a piece of configuration names: SQL that a task runs, parameters that a job is given.

Read by their surface, not by a grammar: what cannot be told apart is left out, since a wrong table would
become a wrong edge. All patterns take time linear in the length of the text.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from pydantic import JsonValue

MOST_TABLES = 50
"""Tables kept of one job."""
_LONGEST = 60_000
"""Characters of a statement that are read."""
_MOST_CLAUSES = 500
_PART = r'(?:"[^"\n]{1,255}"|`[^`\n]{1,255}`|\[[A-Za-z_][^\]\n]{0,254}\]|[A-Za-z_][\w$]{0,254})'
_NAME = re.compile(rf"{_PART}(?:\.{_PART}){{0,3}}")
_QUIET = re.compile(r"--[^\n]*|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/|'(?:[^']|'')*'|\$\$", re.DOTALL)
"""Comments, texts and the marks of a block (what stands in a block is SQL too)."""
_QUIET_MARKS = ("--", "//", "/*", "'", "$$")
"""Without one of these there is none."""
_INNER_FROM = re.compile(
    r"\b(?:extract|trim|substring|overlay|position)\s*\([^()]*\)|\bis\s+(?:not\s+)?distinct\s+from\b", re.I
)
"""A ``from`` before which no table stands."""
_WRITES = re.compile(
    r"\b(?:insert\s+(?:overwrite\s+)?into|insert\s+overwrite|merge\s+into|update|delete\s+from|copy\s+into"
    r"|truncate\s+(?:table\s+)?(?:if\s+exists\s+)?"
    r"|create\s+(?:or\s+(?:replace|alter)\s+)?(?:(?:transient|temporary|temp|dynamic|iceberg)\s+)*(?:table|view)"
    r"(?:\s+if\s+not\s+exists)?)(?:\s+table)?\s+(?=[\"`\[A-Za-z_])",
    re.I,
)
_READS = re.compile(r"\b(?:from|join|using)\s+(?=[\"`\[A-Za-z_])", re.I)
_MORE = re.compile(
    r"\s*(?:(?:as\s+)?(?!(?:where|join|on|left|right|inner|full|cross|group|order|union)\b)\w+\s*)?,\s*", re.I
)
_COMMON = re.compile(rf"(?:\bwith(?:\s+recursive)?|,)\s+({_PART})\s*(?:\([^()]*\)\s*)?as\s*\(", re.I)
_NO_TABLES = frozenset(
    {"table", "values", "lateral", "select", "unnest", "set", "where", "dual", "identifier"}
)
_UNQUOTED = str.maketrans("", "", '"`[]')
_TARGET = re.compile(r"(?:into|table|view|update|exists|overwrite)\s+$", re.I)
_DELETES = re.compile(r"\bdelete\s+from\s+(?=[\"`\[A-Za-z_])", re.I)

_TABLE = re.compile(r"[A-Za-z_][\w$-]*(?:\.[A-Za-z_][\w$-]*){1,2}")
_FILE = re.compile(
    r".*\.(?:py|ipynb|sql|jsonl?|[ct]sv|parquet|avro|orc|txt|jar|whl|ya?ml|toml|xml|zip|gz|com|net|org|io|local)",
    re.I,
)
"""Names of files and hosts look like names of tables."""
_PARAMETERS = re.compile(r"param|argument|statement|query|sql", re.I)
_DEEPEST = 40
_INTO = re.compile(r"target|output|dest|sink|write|result|_to$|^to_|^to$|^out", re.I)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables that something reads and writes, as they are written there, quotes removed."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()

    def metadata(self) -> dict[str, JsonValue]:
        """As it stands in ``Job.metadata``: ``reads`` and ``writes``, absent if empty."""
        told = {"reads": self.reads, "writes": self.writes}
        return {key: [*names[:MOST_TABLES]] for key, names in told.items() if names}


def together(found: Iterable[Tables]) -> Tables:
    """All of them as one. What is also written is not told as read: a merge reads its own target."""
    reads: dict[str, None] = {}
    writes: dict[str, None] = {}
    for one in found:
        reads |= dict.fromkeys(one.reads)
        writes |= dict.fromkeys(one.writes)
    return Tables(tuple(name for name in reads if name not in writes), tuple(writes))


def in_sql(text: str, home: str = "") -> Tables:
    """The tables of one or several SQL statements.

    ``home`` is the ``database.schema`` in which a name without them is meant. Names of common table
    expressions, table functions, stages and variables are none.
    """
    sql = text[:_LONGEST]
    if any(mark in sql for mark in _QUIET_MARKS):
        sql = _QUIET.sub(" ", sql)
    low = sql.lower()
    if "(" in sql or "distinct" in low:
        sql = _INNER_FROM.sub(" ", sql)
    common = {_bare(name) for name in _COMMON.findall(sql)} if "(" in sql else set[str]()
    deleted = {match.end() for match in _DELETES.finditer(sql)} if "delete" in low else set[int]()
    targets = (_name_at(sql, match.end(), common) for match in islice(_WRITES.finditer(sql), _MOST_CLAUSES))
    writes = [name for name in targets if name is not None]
    reads: list[str] = []
    for match in islice(_READS.finditer(sql), _MOST_CLAUSES):
        if match.end() not in deleted:
            reads += _list_at(sql, match.end(), common)
    return together(
        [Tables(tuple(_at_home(n, home) for n in reads), tuple(_at_home(n, home) for n in writes))]
    )


def _list_at(sql: str, at: int, common: set[str]) -> Iterator[str]:
    """``a, b c, d``: the names from here on."""
    for _ in range(MOST_TABLES):
        match = _NAME.match(sql, at)
        if match is None:
            return
        name = _name_at(sql, at, common)
        if name is not None:
            yield name
        more = _MORE.match(sql, match.end())
        if more is None:
            return
        at = more.end()


def _name_at(sql: str, at: int, common: set[str]) -> str | None:
    match = _NAME.match(sql, at)
    if match is None:
        return None
    name = _bare(match[0])
    if name.lower() in _NO_TABLES or name in common:
        return None
    called = sql[match.end() : match.end() + 8].lstrip().startswith("(")
    return None if called and not _is_target(sql, at) else name  # behind a target stand its columns


def _is_target(sql: str, at: int) -> bool:
    return _TARGET.search(sql[max(0, at - 40) : at]) is not None


def _bare(name: str) -> str:
    return name.translate(_UNQUOTED)


def _at_home(name: str, home: str) -> str:
    """The name with as much of ``home`` before it as it lacks."""
    parts, rooms = name.split("."), home.split(".") if home else []
    missing = max(0, len(rooms) + 1 - len(parts))
    return ".".join([*rooms[:missing], *parts])


def in_parameters(given: Iterable[tuple[str, JsonValue]]) -> Tables:
    """The tables that parameters, as (name, value), hold: values such as ``main.sales.orders``.

    What the parameter is called tells whether the table is written (``target_table``, ``output``); else it
    counts as read. A value that is SQL is read as such.
    """
    found: list[Tables] = []
    for key, value in given:
        if not isinstance(value, str):
            continue
        if _is_sql(value):
            found.append(in_sql(value))
            continue
        names = tuple(word for word in re.split(r"[\s,;]+", value[:_LONGEST].strip()) if _is_table(word))
        found.append(Tables(writes=names) if _INTO.search(key) else Tables(reads=names))
    return together(found)


def in_arguments(words: Iterable[JsonValue]) -> Tables:
    """The same of a command line: ``--target-table main.sales.orders``, ``source=main.raw.orders``."""
    pairs: list[tuple[str, JsonValue]] = []
    key = ""
    for word in words:
        text = str(word)
        if text.startswith("-") and "=" not in text:
            key = text.lstrip("-")
        elif "=" in text and not _is_sql(text):
            name, _, value = text.partition("=")
            pairs.append((name.lstrip("-"), value))
            key = ""
        else:
            pairs.append((key, text))
            key = ""
    return in_parameters(pairs)


def in_json(value: JsonValue) -> Tables:
    """The tables in a job's definition: what stands under parameters, arguments, statements or queries."""
    found: list[Tables] = []
    _walk(value, "", found, told=False, depth=0)
    return together(found) if found else Tables()


def _walk(value: JsonValue, key: str, found: list[Tables], *, told: bool, depth: int) -> None:
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        name = value.get("name") if told else None
        if isinstance(name, str):  # {"name": "target_table", "default": "main.sales.orders"}
            found.append(in_parameters((name, value.get(field)) for field in ("default", "value")))
        for inner, item in value.items():
            heard = told or _is_parameter(inner)
            if heard or isinstance(item, (dict, list)):  # else nothing comes of it
                _walk(item, inner, found, told=heard, depth=depth + 1)
    elif isinstance(value, list):
        if told and all(isinstance(item, str) for item in value):
            found.append(in_arguments(value))
        else:
            for item in value:
                _walk(item, key, found, told=told, depth=depth + 1)
    elif told and isinstance(value, str) and key not in {"name", "default", "value"}:
        found.append(in_parameters([(key, value)]))


@lru_cache(maxsize=1024)
def _is_parameter(key: str) -> bool:
    """Whether what stands under a key is parameters or a statement; the same few keys come all the time."""
    return _PARAMETERS.search(key) is not None


def values_of(value: JsonValue, owner: str, key: str) -> Iterator[JsonValue]:
    """Everything that stands under ``key`` of an object that stands under ``owner``, wherever that is."""
    ahead: list[tuple[JsonValue, int]] = [(value, 0)]
    while ahead:
        here, depth = ahead.pop()
        if isinstance(here, dict):
            mine = here.get(owner)
            if isinstance(mine, dict) and key in mine:
                yield mine[key]
        if depth < _DEEPEST and isinstance(here, (dict, list)):
            items = here.values() if isinstance(here, dict) else here
            ahead += [(item, depth + 1) for item in items if isinstance(item, (dict, list))]


def _is_sql(text: str) -> bool:
    return bool(
        re.match(r"\s*(?:select|with|insert|merge|update|delete|create|copy|truncate)\s", text[:200], re.I)
    )


def _is_table(word: str) -> bool:
    word = word.replace("`", "").replace('"', "")
    return bool(_TABLE.fullmatch(word)) and not _FILE.fullmatch(word)
