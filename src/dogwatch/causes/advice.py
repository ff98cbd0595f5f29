"""What to do next: a runbook for the class and the platform, the user's own first, and the one next step.

A runbook is Markdown with a few keys before it::

    ---
    job: airbyte/orders*        # or a list; a pattern of the job's subject or name
    class: auth_permission      # or a list
    label: [payments, missed]   # pipelines, owners and rules it is for
    action: rerun               # what helps, if one verb does
    ---
    # Title

In the shipped ones each platform has a section of its own with symptoms, a check, a remedy and an action.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import resources

from dogwatch.causes.testimony import LOOKS_LIKE
from dogwatch.model import Cause, CauseClass, Evidence, EvidenceKind
from dogwatch.model.text import one_line

VERBS = frozenset({"rerun", "cancel", "repair", "pause", "resume", "manual"})
KEYS = ("job", "class", "label", "action")
_KEY = re.compile(r"([a-z]+)\s*:\s*(.*)")
_LINE = re.compile(r"- (symptoms|check|remedy|action): (.+)")
_TOLD = 4_000
"""Characters of a runbook that are kept as evidence."""


@dataclass(frozen=True, slots=True)
class Section:
    """What a runbook says of one platform, or of all."""

    symptoms: str = ""
    check: str = ""
    remedy: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class Runbook:
    """One runbook."""

    name: str
    """The file's name, relative to its folder."""
    title: str
    text: str
    """Markdown, without the keys."""
    jobs: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    action: str = ""
    own: bool = True
    """The user's, not one that comes with dogwatch."""
    sections: Mapping[str, Section] = field(default_factory=dict[str, Section])
    """By platform; the one without a name is for all."""


@dataclass(frozen=True, slots=True)
class About:
    """What a runbook is looked for."""

    subject: str
    name: str = ""
    """The job's name."""
    platform: str = ""
    """Its platform's kind."""
    cause_class: CauseClass | None = None
    labels: tuple[str, ...] = ()
    """Pipelines, owners, rules."""
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """One next step."""

    sentence: str
    where: str
    """A command or a link; empty if there is none."""
    verb: str = ""
    """The action that does it, if one does."""


def read_runbook(name: str, text: str, *, own: bool = True) -> Runbook:
    """A runbook from its text. Raises ValueError in words for keys that are not known."""
    keys, body = _keys(text)
    unknown = sorted(keys.keys() - set(KEYS))
    if unknown:
        raise ValueError(f"has the key {unknown[0]!r:.40}; known: {', '.join(KEYS)}")
    for word in keys.get("class", ()):
        if word not in {known.value for known in CauseClass}:
            raise ValueError(f"names the class {word!r:.40}; known: {', '.join(sorted(CauseClass))}")
    actions = keys.get("action", ())
    if any(word not in VERBS for word in actions):
        raise ValueError(f"names the action {actions[0]!r:.40}; known: {', '.join(sorted(VERBS))}")
    title = next((line[2:].strip() for line in body.splitlines() if line.startswith("# ")), "")
    return Runbook(
        name=name,
        title=one_line(title, 120) or name,
        text=body,
        jobs=keys.get("job", ()),
        classes=keys.get("class", ()),
        labels=keys.get("label", ()),
        action=actions[0] if actions else "",
        own=own,
        sections=dict(_sections(body)),
    )


def _keys(text: str) -> tuple[dict[str, tuple[str, ...]], str]:
    """The keys between two lines of three dashes at the top, and what follows them."""
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---" or "---" not in [line.strip() for line in lines[1:]]:
        return {}, text.strip()
    end = [line.strip() for line in lines].index("---", 1)
    keys: dict[str, tuple[str, ...]] = {}
    last = ""
    for line in lines[1:end]:
        plain = line.split(" #")[0].strip()
        match = _KEY.fullmatch(plain)
        if match:
            last = match[1]
            keys[last] = tuple(_items(match[2]))
        elif plain.startswith("- ") and last:
            keys[last] = (*keys[last], *_items(plain[2:]))
    return keys, "\n".join(lines[end + 1 :]).strip()


def _items(value: str) -> Iterator[str]:
    inner = value.strip()
    parts = inner[1:-1].split(",") if inner.startswith("[") and inner.endswith("]") else [inner]
    yield from (item for part in parts if (item := part.strip().strip("\"'")))


def _sections(body: str) -> Iterator[tuple[str, Section]]:
    heading, said = "", dict[str, str]()
    for line in [*body.splitlines(), "## "]:
        if line.startswith("## "):
            if said:
                yield heading, Section(**said)
            heading, said = line[3:].strip().casefold().replace(" ", "_"), {}
        elif (match := _LINE.fullmatch(line.strip())) is not None:
            said[match[1]] = match[2]


@lru_cache(maxsize=1)
def shipped() -> tuple[Runbook, ...]:
    """The runbooks that come with dogwatch, one for each class."""
    folder = resources.files("dogwatch.causes") / "runbooks"
    files = sorted((file.name, file.read_text("utf-8")) for file in folder.iterdir())
    return tuple(read_runbook(name, text, own=False) for name, text in files if name.endswith(".md"))


def choose(books: Iterable[Runbook], about: About) -> Runbook | None:
    """The runbook that fits best: the user's own before a shipped one; one for this job before one for a
    label, before one for the class alone. None if none fits."""
    fitting = [(_fit(book, about), book.own, book) for book in (*books, *shipped())]
    best = max(
        (one for one in fitting if one[0] > 0), key=lambda one: (one[1], one[0], one[2].name), default=None
    )
    return best[2] if best else None


def _fit(book: Runbook, about: About) -> int:
    """0 if it does not fit: every key that it has must agree."""
    fit = 0
    if book.jobs:
        names = [text for text in (about.subject, about.name, f"{about.platform}/{about.name}") if text]
        if not any(fnmatchcase(text, pattern) for text in names for pattern in book.jobs):
            return 0
        fit += 4
    if book.labels:
        if not set(book.labels).intersection(about.labels):
            return 0
        fit += 2
    if book.classes:
        if about.cause_class is None or about.cause_class.value not in book.classes:
            return 0
        fit += 1
    return fit


def runbook_evidence(book: Runbook, subject: str, at: datetime) -> Evidence:
    """A runbook as something to cite with an incident."""
    return Evidence.of(
        EvidenceKind.runbook,
        source="runbooks" if book.own else "dogwatch",
        subject=subject,
        content={"name": book.name, "title": book.title, "text": book.text[:_TOLD]},
        at=at,
    )


_OF_RULE: Mapping[str, tuple[str, str]] = {
    "paused": ("Switch {name} on again if that was not meant", "resume"),
    "suspended": ("Find out why its platform switched {name} off, then switch it on again", "resume"),
    "schedule_changed": ("Set the schedule of {name} back if the edit was not meant", "manual"),
    "missed": ("Start {name} once if its data is needed before its next time", "rerun"),
    "skipped": ("Run what {name} waits for, then {name}", "rerun"),
    "slow": ("Look at what {name} is busy with; end it and start it anew if it stands still", "cancel"),
    "cancelled": ("Start {name} once if nobody ended it on purpose", "rerun"),
    "empty": ("Look whether the source of {name} holds data; run {name} once if it does", "rerun"),
    "few_rows": ("Look whether the source of {name} holds data; run {name} once if it does", "rerun"),
    "duplicated": ("Look whether {name} has written its rows twice", "manual"),
    "blind": ("Make {name} readable again", "manual"),
}
"""What to do about what a rule found, where no runbook knows better."""
_RULES_FIRST = frozenset({"paused", "suspended", "schedule_changed", "blind", "skipped", *LOOKS_LIKE})
"""Here the way out does not depend on a class."""


def next_steps(cause: Cause, name: str, platform: str, rule: str) -> tuple[Advice, ...]:
    """The first thing to do about a cause by the shipped runbooks, in short; ``rule`` is that of the
    culprit's first finding. Where it lies is left to whoever shows it."""
    about = About(cause.subject, name=name, platform=platform, cause_class=cause.cause_class)
    found = advise(cause.model_copy(update={"settle": ""}), about, rule, "")[:1]
    return tuple(replace(step, sentence=step.sentence.partition(";")[0]) for step in found)


def advise(
    cause: Cause, about: About, rule: str, command: str, books: Sequence[Runbook] = ()
) -> tuple[Advice, ...]:
    """What to do about a cause, the next step first; each step names the job, a command or a link.

    ``rule`` is that of the culprit's first finding, ``command`` what shows it in dogwatch.
    """
    name = one_line(about.name or about.subject, 80)
    where = about.url or command
    book = choose(books, about)
    steps: list[Advice] = []
    if book is not None and book.own:
        steps.append(Advice(f"Follow the runbook “{book.title}”", book.name, book.action))
    if rule in _RULES_FIRST or about.cause_class is None:
        sentence, verb = _OF_RULE.get(rule, ("Read the full log of {name}", "manual"))
        steps.append(Advice(sentence.format(name=name), where, verb))
    elif book is not None and not book.own:
        section = book.sections.get(about.platform) or book.sections.get("", Section())
        steps.append(Advice(f"{name}: {section.remedy}", where, section.action))
        steps.append(Advice(f"To be sure: {section.check}", command))
    if cause.settle and (about.cause_class is None or rule in LOOKS_LIKE):
        steps.append(Advice(f"This would settle it: {cause.settle}", ""))
    return tuple(steps)
