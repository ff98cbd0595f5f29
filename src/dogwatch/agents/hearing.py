"""What of an answer can be told while a model is still writing it: whole sentences that stand. No framework.

Words are not told as they come. What shows a sentence is cited after it, and whether its numbers and names
stand in what it cites is known when both are there; a cause that is read at three in the morning and taken
back a second later has been claimed without evidence.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from pydantic import JsonValue, ValidationError
from pydantic_core import from_json

from dogwatch.agents.session import Session
from dogwatch.model.investigation import Answer, Statement

MOST = 12
"""Sentences of one answer, as its form has it."""
_LIST = "statements"


def whole_items(text: str, name: str) -> list[JsonValue]:
    """The items of the list ``name`` that are complete, of a JSON object of which the beginning is known.

    The last item counts as complete if the text could end behind it. Raises ValueError if no end would make
    the text JSON.
    """
    known = cast("JsonValue", from_json(text, allow_partial=True))
    items = known.get(name) if isinstance(known, dict) else None
    if not isinstance(items, list):
        return []
    for end in ("", "}", "]}"):
        try:
            from_json(text + end)
        except ValueError:
            continue
        return items
    return items[:-1]


@dataclass(slots=True)
class Hearing:
    """Listens to one agent's answer, its second and third attempts included, and tells what stands."""

    session: Session
    tell: Callable[[Statement], None]
    stood: list[Statement] = field(default_factory=list[Statement])
    """What was told, in order."""
    _heard: set[str] = field(default_factory=set[str])
    """Sentences that were judged, as JSON."""
    _enough: int = 0
    """Characters of an answer after which nothing in it counts any more; 0 if that is not reached."""

    def __call__(self, text: str) -> None:
        """The answer's JSON so far."""
        if len(self.stood) >= MOST or 0 < self._enough < len(text):
            return
        try:
            items = whole_items(text, _LIST)
        except ValueError:
            return  # an answer of no form; the runtime sends it back
        self._enough = len(text) if len(items) > MOST else 0
        for item in items[:MOST]:
            said = json.dumps(item)
            if said not in self._heard and len(self.stood) < MOST:
                self._heard.add(said)
                self._judge(said)

    def _judge(self, said: str) -> None:
        try:
            one = Statement.model_validate_json(said)
        except ValidationError:
            return
        if one.text in {other.text for other in self.stood}:
            return
        if not self.session.check_answer(Answer(statements=(one,))):
            self.stood.append(one)
            self.tell(one)

    def with_rest(self, kept: tuple[Statement, ...]) -> tuple[Statement, ...]:
        """What was told, and of ``kept``, which stands as well, what was not."""
        told = {one.text for one in self.stood}
        return (*self.stood, *(one for one in kept if one.text not in told))[:MOST]
