"""Laws that no linter knows: time is handed in, surfaces alone catch everything, nothing is half done."""

import ast
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "dogwatch"

SURFACES = ("cli/", "__main__.py")
CLOCKS = ("wire/clock.py", "lab/clock.py")
"""Where a clock is made that others are handed."""

WALL = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "localtime"),
    ("time", "gmtime"),
}
"""Calls that read the machine's clock. A monotonic clock measures, it does not tell the time."""
WAITS = {("time", "sleep"), ("asyncio", "sleep")}


@functools.cache
def modules() -> list[tuple[str, str, ast.Module]]:
    """Path below src/dogwatch, text and tree of each module."""
    found = []
    for path in sorted(SRC.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append((path.relative_to(SRC).as_posix(), text, ast.parse(text)))
    return found


def calls(tree: ast.Module, wanted: set[tuple[str, str]]) -> Iterator[ast.Call]:
    """Calls of ``module.name`` or ``something.module.name``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            base = (
                owner.id
                if isinstance(owner, ast.Name)
                else owner.attr
                if isinstance(owner, ast.Attribute)
                else ""
            )
            if (base, node.func.attr) in wanted:
                yield node


def found(look: Callable[[str, ast.Module], Iterator[int]], *, except_in: tuple[str, ...] = ()) -> list[str]:
    """``file:line`` of everything that ``look`` finds outside the files where it is allowed."""
    return [
        f"{name}:{line}"
        for name, text, tree in modules()
        if not name.startswith(except_in)
        for line in look(text, tree)
    ]


def lines_like(pattern: str) -> Callable[[str, ast.Module], Iterator[int]]:
    wanted = re.compile(pattern)
    return lambda text, tree: (
        number for number, line in enumerate(text.splitlines(), start=1) if wanted.search(line)
    )


def test_only_surfaces_and_clocks_read_the_time_of_the_machine() -> None:
    def wall(text: str, tree: ast.Module) -> Iterator[int]:
        return (call.lineno for call in calls(tree, WALL))

    assert found(wall, except_in=(*SURFACES, *CLOCKS)) == []


def test_only_clocks_wait() -> None:
    def waits(text: str, tree: ast.Module) -> Iterator[int]:
        return (
            call.lineno
            for call in calls(tree, WAITS)
            if not (isinstance(call.args[0], ast.Constant) and call.args[0].value == 0)
        )

    # The lab's server keeps a real socket waiting, as a slow platform does; a round's lease is kept alive and
    # other processes are waited for, in real time, however fast the clock that was handed runs.
    real = ("lab/serve.py", "relay.py", "store/turns.py")
    assert found(waits, except_in=(*SURFACES, *CLOCKS, *real)) == []


def test_only_surfaces_catch_everything() -> None:
    def broad(text: str, tree: ast.Module) -> Iterator[int]:
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and not passes_on(node):
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                if any(kind is None or ast.unparse(kind) in {"Exception", "BaseException"} for kind in kinds):
                    yield node.lineno

    def passes_on(handler: ast.ExceptHandler) -> bool:
        """Whether it only cleans up and lets the exception go its way."""
        last = handler.body[-1]
        return isinstance(last, ast.Raise) and last.exc is None

    assert found(broad, except_in=SURFACES) == []


def test_nothing_is_left_for_later() -> None:
    words = r"NotImplementedError|\b(TODO|FIXME|XXX|HACK)\b|(?i:\bcoming soon\b|\bfor now\b|\bplaceholder\b)"
    assert found(lines_like(words)) == []


def test_every_silenced_warning_says_why() -> None:
    silenced = r"#\s*(?:type:\s*ignore|pyright:\s*ignore|noqa)"
    said = r"#\s*(?:type:\s*ignore\[[\w, -]+\]|pyright:\s*ignore\[\w+(?:, \w+)*\]|noqa: [A-Z0-9, ]+)\s+#\s+\w"
    bare = [
        f"{name}:{number}"
        for name, text, _ in modules()
        for number, line in enumerate(text.splitlines(), start=1)
        if re.search(silenced, line) and not re.search(said, line)
    ]
    assert bare == []


def test_what_is_public_is_documented() -> None:
    def bare(text: str, tree: ast.Module) -> Iterator[int]:
        if ast.get_docstring(tree) is None and text.strip():
            yield 1
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from undocumented(node)

    def undocumented(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[int]:
        if node.name.startswith("_"):
            return
        if ast.get_docstring(node) is None:
            yield node.lineno
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from undocumented(inner)

    assert found(bare) == []


def test_no_secret_setting_has_a_value() -> None:
    def given(text: str, tree: ast.Module) -> Iterator[int]:
        for node in ast.walk(tree):
            if not isinstance(node, ast.AnnAssign) or "SecretStr" not in ast.unparse(node.annotation):
                continue
            if preset(node.value):
                yield node.lineno

    def preset(value: ast.expr | None) -> bool:
        if not isinstance(value, ast.Call):
            return isinstance(value, ast.Constant) and value.value is not None
        given = [*value.args, *(one.value for one in value.keywords if one.arg == "default")]
        return any(isinstance(one, ast.Constant) and one.value is not None for one in given)

    assert found(given) == []
