"""Whether two names mean the same table, and who writes what somebody else reads."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_SPLIT = re.compile(r"""["`\[\]]""")
_ODD = re.compile(r"[^a-z0-9_.]")
EXACT = 0.95
"""Both names are complete and equal."""
QUALIFIED = 0.85
"""Schema and table are equal; one name has no catalog, or it is another platform's word for it."""
BARE = 0.6
"""Only the table's own name is known of one of them."""
CROWDED = 0.5
"""More writers than that: a name that everybody uses says little."""
MOST_WRITERS = 5


def parts_of(name: str) -> tuple[str, ...]:
    """A table's name in parts, least first, small, odd characters as underscores: ``DB."Raw".a-b`` is
    (a_b, raw, db). Warehouses fold case and replace characters differently; people mean the same table."""
    flat = _ODD.sub("_", _SPLIT.sub("", name).lower())
    return tuple(reversed([part for part in flat.split(".") if part]))[:3]


def likeness(first: Sequence[str], second: Sequence[str], *, abroad: bool) -> float:
    """How sure it is that two names in parts mean the same table; 0.0 if they do not.

    ``abroad``: they are of different platforms, whose catalogs go by names of their own.
    """
    known = min(len(first), len(second))
    if known == 0 or first[:2][:known] != second[:2][:known]:
        return 0.0
    if known == 1:
        return BARE
    if known == 3 and first[2] != second[2]:
        return QUALIFIED if abroad else 0.0
    return EXACT if known == 3 else QUALIFIED


@dataclass(frozen=True, slots=True)
class User:
    """Something that reads or writes tables."""

    name: str
    """A subject, or the name of a step that is no watched job."""
    platform: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two users that meet at a table."""

    writer: User
    reader: User
    table: str
    """As the reader names it."""
    confidence: float


@dataclass(slots=True)
class Meetings:
    """Who writes which table, to be asked by name."""

    _by_name: dict[str, list[tuple[User, tuple[str, ...]]]] = field(
        default_factory=dict[str, list[tuple[User, tuple[str, ...]]]]
    )

    @classmethod
    def of(cls, users: Iterable[User], asked: Iterable[str] | None = None) -> "Meetings":
        """Everything that these write; of it, if ``asked`` is given, what may mean one of those tables."""
        made = cls()
        wanted = None if asked is None else {parts[0] for name in asked if (parts := parts_of(name))}
        if wanted is not None and not wanted:
            return made
        for user in users:
            for parts in dict.fromkeys(parts_of(name) for name in user.writes):
                if parts and (wanted is None or parts[0] in wanted):
                    made._by_name.setdefault(parts[0], []).append((user, parts))
        return made

    def writers(self, reader: User) -> Iterator[Meeting]:
        """For each table that it reads those that write it, itself left out.

        Where a complete name fits, names that fit less well are not told; a bare name fits only if nobody
        else writes a table of that name.
        """
        for table in reader.reads:
            mine = parts_of(table)
            fits = [
                (likeness(mine, parts, abroad=user.platform != reader.platform), user)
                for user, parts in self._by_name.get(mine[0] if mine else "", ())
                if user.name != reader.name
            ]
            best = max((sure for sure, _ in fits), default=0.0)
            chosen: Mapping[str, User] = {user.name: user for sure, user in fits if sure == best}
            if not best or (best == BARE and len(chosen) > 1):
                continue
            sure = min(best, CROWDED) if len(chosen) > MOST_WRITERS else best
            for user in chosen.values():
                yield Meeting(user, reader, table, sure)
