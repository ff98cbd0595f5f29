"""Troubles with one reason although no edge joins them: forty red jobs are one broken credential."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from dogwatch.incidents.trouble import FAILS, Trouble

_TOGETHER = timedelta(minutes=60)
"""Troubles with the same reason follow each other within this."""
_STILL = timedelta(hours=6)
"""The same where the words are the same and the earlier one goes on: other jobs run at other hours."""
_MANY = 3
_MOST = 0.5
"""A platform is to blame if at least this share of its jobs that did anything meanwhile is in trouble."""
_WHOLESALE = frozenset({"missed", "late", "slow", "paused", "suspended", "cancelled", "skipped", "empty"})
"""What befalls most jobs of a platform at once only if the platform is ill."""


def alike(roots: Sequence[Trouble], good: Mapping[str, datetime]) -> list[tuple[Trouble, ...]]:
    """The troubles in groups of one reason each, most of them alone; in groups the earliest comes first.

    ``good`` tells of each job when it last ended well.
    """
    kin = _Kin(trouble.subject for trouble in roots)
    for group in _same_sentence(roots):
        kin.join(group)
    for group in _wholesale(roots, good):
        kin.join(group)
    for group in _same_thing(roots):
        kin.join(group)
    by_root: dict[str, list[Trouble]] = {}
    for trouble in sorted(roots, key=lambda one: (one.at, one.subject)):
        by_root.setdefault(kin.head(trouble.subject), []).append(trouble)
    return [tuple(group) for group in by_root.values()]


def to_blame(group: Sequence[Trouble], good: Mapping[str, datetime]) -> str:
    """Where it began: the platform if most of its jobs are in trouble, else the earliest."""
    first = group[0]
    if len(group) < _MANY or {one.instance for one in group} != {first.instance}:
        return first.subject
    return first.instance if _most_of_its_platform(group, good) else first.subject


def _most_of_its_platform(group: Sequence[Trouble], good: Mapping[str, datetime]) -> bool:
    instance, since = group[0].instance, group[0].at
    ill = {one.subject for one in group}
    well = {
        subject
        for subject, at in good.items()
        if at >= since and subject.startswith(f"{instance}/") and subject not in ill
    }
    return len(ill) >= _MOST * (len(ill) + len(well))


def _same_sentence(roots: Sequence[Trouble]) -> Iterable[Sequence[Trouble]]:
    """Failures on one platform that say the same of the same things."""
    said: dict[tuple[str, str], list[Trouble]] = {}
    for one in roots:
        if one.lead.rule in FAILS and one.reason.sentence:
            said.setdefault((one.instance, one.reason.sentence), []).append(one)
    for group in said.values():
        for chain in _chains(group, _STILL):
            yield from _by_names(chain)


def _by_names(chain: Sequence[Trouble]) -> Iterable[Sequence[Trouble]]:
    """The parts of a chain that name the same: jobs that share an account name it, each beside its tables.

    Of names that only one job has nothing follows; then three or more jobs are one, and two if they say the
    same to the letter.
    """
    counts = Counter(name for one in chain for name in one.reason.names)
    parts: dict[frozenset[str], list[Trouble]] = {}
    for one in chain:
        parts.setdefault(frozenset(name for name in one.reason.names if counts[name] > 1), []).append(one)
    for names, part in parts.items():
        same = len({(one.reason.names, one.reason.values) for one in part}) == 1
        if names or len(part) >= _MANY or same:
            yield part


def _same_thing(roots: Sequence[Trouble]) -> Iterable[Sequence[Trouble]]:
    """Failures on several platforms with the same shared reason that name the same host, account or thing."""
    said: dict[tuple[str, str], list[Trouble]] = {}
    for one in roots:
        if one.lead.rule in FAILS and one.reason.shared:
            for name in one.reason.names:
                said.setdefault((str(one.reason.cause_class), name), []).append(one)
    for group in said.values():
        for chain in _chains(group, _STILL):
            if len({one.instance for one in chain}) > 1:
                yield chain


def _wholesale(roots: Sequence[Trouble], good: Mapping[str, datetime]) -> Iterable[Sequence[Trouble]]:
    """What befalls most jobs of a platform at once without a word of the reason."""
    said: dict[tuple[str, str], list[Trouble]] = {}
    for one in roots:
        rule = one.lead.rule
        if rule in _WHOLESALE or (rule in FAILS and not one.reason.sentence):
            said.setdefault((one.instance, rule), []).append(one)
    for group in said.values():
        for chain in _chains(group):
            if len(chain) >= _MANY and _most_of_its_platform(chain, good):
                yield chain


def _chains(group: Sequence[Trouble], still: timedelta = _TOGETHER) -> Iterable[list[Trouble]]:
    """Those that follow each other closely, in order of time; what goes on may be followed for ``still``."""
    chain: list[Trouble] = []
    for one in sorted(group, key=lambda one: (one.at, one.subject)):
        if chain and not _follows(one, chain, still):
            yield chain
            chain = []
        chain.append(one)
    if chain:
        yield chain


def _follows(one: Trouble, chain: Sequence[Trouble], still: timedelta) -> bool:
    if one.at - chain[-1].at <= _TOGETHER:
        return True
    latest = max(before.latest for before in chain)
    return one.at - latest <= (still if any(before.until is None for before in chain) else _TOGETHER)


class _Kin:
    """Groups that grow together (union-find)."""

    def __init__(self, subjects: Iterable[str]) -> None:
        self._above = {subject: subject for subject in subjects}

    def head(self, subject: str) -> str:
        """The one that stands for the group."""
        while self._above[subject] != subject:
            self._above[subject] = self._above[self._above[subject]]
            subject = self._above[subject]
        return subject

    def join(self, group: Collection[Trouble]) -> None:
        """Make one group of these."""
        heads = sorted({self.head(one.subject) for one in group})
        for other in heads[1:]:
            self._above[other] = heads[0]
