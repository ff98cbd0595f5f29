"""A graph as one inline SVG: left to right, the culprit marked, the way of harm in one hue, the rest grey.

Self-contained: no script, no font, no address, nothing but escaped text; light and dark by what the reader
prefers. Colour never stands alone: the culprit has a filled mark and a thick frame, harm a half-filled mark.
"""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import pairwise
from unicodedata import east_asian_width

from dogwatch.model.text import one_line, plural
from dogwatch.pipelines.draw import CULPRIT, FINE, HARMED, WORDS, Picture
from dogwatch.pipelines.graph import Edge, Node
from dogwatch.pipelines.layout import Layout, layout

_WIDE, _HIGH = 196, 44
"""Of a node, in pixels."""
_ACROSS, _DOWN = 268, 58
"""From one layer to the next, from one row to the next."""
_MARGIN = 16
_LEGEND = 40
_CHARS = 23
"""Of a name in a node; a wide character counts as two."""
STYLE = (
    ".dw{--ink:#1c1917;--soft:#57534e;--line:#a8a29e;--paper:#ffffff;--hot:#c2410c;"
    "font:13px system-ui,-apple-system,'Segoe UI',sans-serif}"
    "@media(prefers-color-scheme:dark){.dw{--ink:#f5f5f4;--soft:#a8a29e;--line:#6b6560;--paper:#1c1917;--hot:#fb923c}}"
    ".dw .n{fill:var(--paper);stroke:var(--line)}.dw .t{fill:var(--ink)}.dw .s{fill:var(--soft)}"
    ".dw .e{fill:none;stroke:var(--line);stroke-width:1.25}.dw .a{fill:var(--line);stroke:none}"
    ".dw .reads{stroke-dasharray:6 3}.dw .perhaps{stroke-dasharray:1.5 4;stroke-linecap:round}"
    ".dw .hot{stroke:var(--hot)}.dw .e.hot{stroke-width:2}.dw .a.hot{fill:var(--hot)}"
    ".dw .culprit{stroke:var(--hot);stroke-width:2.5}.dw .harmed{stroke:var(--hot)}.dw .m{fill:var(--hot)}"
)
"""For pages that hold the picture themselves and allow no style within it."""


def svg(
    picture: Picture,
    title: str = "Pipeline graph",
    *,
    styled: bool = True,
    link: Callable[[str], str] | None = None,
) -> str:
    """The picture as an ``<svg>`` element, to be put into a page or kept as a file of its own.

    Without its style for a page that has ``STYLE``; ``link`` tells where a subject leads, empty: nowhere.
    """
    placed = layout(picture.graph)
    wide = max(placed.layers * _ACROSS - (_ACROSS - _WIDE) + 2 * _MARGIN, 420)
    high = round(placed.bottom * _DOWN) + _HIGH + 2 * _MARGIN + _LEGEND
    graph = picture.graph
    said = f"{plural(len(graph.nodes), 'node')}, {plural(len(graph.edges), 'edge')}"
    if picture.culprits:
        names = [one_line(graph.name(one), 80) for one in sorted(picture.culprits) if one in graph.nodes]
        said += f"; {WORDS[CULPRIT]}: {', '.join(names)}" if names else ""
    size = f'viewBox="0 0 {wide} {high}" width="{wide}" height="{high}"'
    role = "img" if link is None else "group"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dw" role="{role}" {size}>',
        f"<title>{_text(title)}</title><desc>{_text(said)}</desc>",
        f"<style>{STYLE}</style>" if styled else "",
        f'<rect width="{wide}" height="{high}" fill="var(--paper)"/>',
        *_edges(picture, placed),
        *(_linked(_node(picture, node, placed), link, node) for node in graph.nodes.values()),
        *_legend(picture, high),
        "</svg>",
    ]
    return "\n".join(parts)


def _text(text: str) -> str:
    return escape(one_line(text, 200))


def _linked(drawn: str, link: Callable[[str], str] | None, node: Node) -> str:
    where = link(node.subject) if link is not None and node.watched else ""
    return f'<a href="{escape(where)}">{drawn}</a>' if where else drawn


def _corner(placed: Layout, subject: str) -> tuple[float, float]:
    place = placed.places[subject]
    return _MARGIN + place.layer * _ACROSS, round(_MARGIN + place.row * _DOWN, 1)


def _edges(picture: Picture, placed: Layout) -> Iterator[str]:
    """Those that carry harm last, so that they lie on top."""
    for edge in sorted(picture.graph.edges, key=picture.harmful):
        yield _edge(edge, placed, hot=picture.harmful(edge), name=picture.graph.name)


def _edge(edge: Edge, placed: Layout, *, hot: bool, name: Callable[[str], str]) -> str:
    first, last = placed.places[edge.upstream], placed.places[edge.downstream]
    left, right = _corner(placed, edge.upstream), _corner(placed, edge.downstream)
    points = [(left[0] + _WIDE, left[1] + _HIGH / 2)]
    points += [
        (_MARGIN + point.layer * _ACROSS + shift, round(_MARGIN + point.row * _DOWN + _HIGH / 2, 1))
        for point in placed.ways[edge.upstream, edge.downstream]
        for shift in ((0, _WIDE) if first.layer < last.layer else (_WIDE, 0))
    ]
    points.append((right[0] - 7, right[1] + _HIGH / 2))
    kind = "perhaps" if not edge.certain else "" if edge.triggers else "reads"
    look = " ".join(word for word in ("e", kind, "hot" if hot else "") if word)
    at, down = points[-1]
    tip = f"M{at} {down - 4}l7 4l-7 4z"
    why = f"{name(edge.upstream)} → {name(edge.downstream)}: {edge.why or edge.basis.value}"
    return (
        f'<g><title>{_text(why)}</title><path class="{look}" d="{_curve(points)}"/>'
        f'<path class="a{" hot" if hot else ""}" d="{tip}"/></g>'
    )


def _curve(points: Sequence[tuple[float, float]]) -> str:
    """Flat where it leaves and arrives."""
    parts = [f"M{points[0][0]} {points[0][1]}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        if y0 == y1 and x1 >= x0:
            parts.append(f"L{x1} {y1}")
            continue
        bend = max(abs(x1 - x0) / 2, 36)
        parts.append(f"C{x0 + bend} {y0} {x1 - bend} {y1} {x1} {y1}")
    return "".join(parts)


def _node(picture: Picture, node: Node, placed: Layout) -> str:
    x, y = _corner(placed, node.subject)
    mark = picture.mark(node.subject)
    look = {CULPRIT: "n culprit", HARMED: "n harmed", FINE: "n"}[mark]
    below = (
        node.platform.replace("_", " ") if node.platform else "component" if node.component else "not watched"
    )
    if mark != FINE:
        below += f" · {WORDS[mark]}"
    shown = "" if mark == FINE else f'<tspan class="m">{mark} </tspan>'
    name = escape(_fitted(one_line(node.name, 120), _CHARS - (2 if shown else 0)))
    frame = f'x="{x}" y="{y}" width="{_WIDE}" height="{_HIGH}" rx="{_HIGH // 2 if node.component else 4}"'
    below = escape(_fitted(one_line(below, 80), _CHARS + 4))
    return (
        f"<g><title>{_text(f'{node.name} ({node.subject})')}</title>"
        f'<rect class="{look}" {frame}/>'
        f'<text class="t" x="{x + 12}" y="{round(y + 19, 1)}">{shown}{name}</text>'
        f'<text class="s" x="{x + 12}" y="{round(y + 36, 1)}">{below}</text></g>'
    )


def _fitted(text: str, most: int) -> str:
    """As much of the text as there is room for."""
    used = 0
    for at, char in enumerate(text):
        used += 2 if east_asian_width(char) in "WF" else 1
        if used > most:
            return text[: max(0, at - 1)].rstrip() + "…"
    return text


def _legend(picture: Picture, high: int) -> Iterator[str]:
    """What the lines mean that occur."""
    edges = picture.graph.edges
    kinds = [
        ("", "starts the next", any(edge.certain and edge.triggers for edge in edges)),
        ("reads", "is read by the next", any(edge.certain and not edge.triggers for edge in edges)),
        ("perhaps", "perhaps", any(not edge.certain for edge in edges)),
    ]
    x, y = _MARGIN, high - 20
    for kind, word, present in kinds:
        if present:
            yield (
                f'<path class="e {kind}" d="M{x} {y}h32"/>'
                f'<text class="s" x="{x + 40}" y="{y + 4}">{word}</text>'
            )
            x += 180
