"""Who may come in by web, for a terminal."""

from zoneinfo import ZoneInfo

from rich.text import Text

from dogwatch.model.door import TokenList
from dogwatch.model.text import one_line
from dogwatch.report import words
from dogwatch.report.lines import hanging, page, wrap

_NAMED = 12


def tokens(found: TokenList, width: int) -> Text:
    """A line for each."""
    zone, lines = ZoneInfo(found.timezone), list[Text]()
    for one in found.tokens:
        lives = one.live(found.at)
        made = words.since(one.made_at, found.at, zone)
        said = f"{one_line(one.name, 64)} may {', '.join(one.scopes)} · made {made}"
        if one.revoked_at is not None:
            said += f" · revoked {words.clock(one.revoked_at, found.at, zone)}"
        elif one.expires_at is not None:
            said += f" · {'until' if lives else 'over since'} {words.clock(one.expires_at, found.at, zone)}"
        head = Text(f"{'○' if lives else '◌'} {one.id}  ", style="" if lives else "dim")
        lines += hanging(head, wrap(said, width - _NAMED), _NAMED)
    return page(lines or [Text("no token; make one with: dogwatch token new NAME --scope read")])
