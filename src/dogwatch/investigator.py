"""Puts the crew to work for one configuration: roster, models, budget, and what a round asks of it.

Without the extra, a model or a key everything is answered by the rules, and the answer says so once.
"""

import importlib.util
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dogwatch import connectors
from dogwatch.agents.models import INSTALL, Choice, build, check_choice, chosen, client_for
from dogwatch.agents.roster_files import AgentFile, read_folder, roster
from dogwatch.agents.session import Purse
from dogwatch.desk import Desk
from dogwatch.errors import SettingsError
from dogwatch.model import Incident
from dogwatch.model.answer import Answer, Statement
from dogwatch.model.investigation import Investigation
from dogwatch.settings.agents import AgentsSettings

if TYPE_CHECKING:
    from dogwatch.agents.crew import Crew
    from dogwatch.agents.runtime import PydanticRuntime
    from dogwatch.agents.session import Runtime

Say = Callable[[str], None]
_PRECEDENTS = 3
_SHOWS = re.compile(r"incident show INC-(\d{1,9})$")


def _silent(text: str) -> None:
    """Nobody is watching."""


def choice_of(settings: AgentsSettings) -> Choice:
    """What the settings say of models."""
    return Choice(
        model=settings.model,
        fallback=settings.fallback,
        models=settings.models,
        endpoints=settings.endpoints,
        keys=settings.keys,
        usd_in=settings.usd_in,
        usd_out=settings.usd_out,
    )


def own_agents(settings: AgentsSettings) -> tuple[AgentFile, ...]:
    """The user's agents, faults included. Raises SettingsError."""
    return read_folder(Path(settings.folder)) if settings.folder else ()


def roster_of(settings: AgentsSettings) -> dict[str, AgentFile]:
    """All agents that may be asked. Raises SettingsError."""
    titles = {kind: connectors.load(kind).title for kind in connectors.names()}
    return roster(titles, own_agents(settings))


class Investigator:
    """Investigates incidents. ``runtime`` is given by tests; else it is made from the settings."""

    def __init__(
        self,
        settings: AgentsSettings,
        desk: Desk,
        *,
        runtime: "Runtime | None" = None,
        progress: Say = _silent,
    ) -> None:
        self._settings = settings
        self._desk = desk
        self._runtime = runtime
        self._progress = progress

    def why_not(self) -> str:
        """Why no model can be asked; empty if one can. Raises SettingsError."""
        if self._runtime is not None:
            return ""
        if (lacking := check_choice(choice_of(self._settings))) != "":
            return lacking
        there = importlib.util.find_spec("pydantic_ai") is not None
        return "" if there else f"the extra is not installed: {INSTALL}"

    async def investigate(self, number: int) -> Investigation:
        """One incident. Raises IncidentError, SettingsError or StoreError."""
        if (lacking := self.why_not()) != "":
            return await self._by_rules(number, lacking)
        from dogwatch.agents.crew import Crew

        agents = roster_of(self._settings)
        if self._runtime is not None:
            crew = Crew(agents, self._runtime, self._desk, self.purse, self._progress)
            found = await self._traced(crew, number)
        else:
            found = await self._with_models(agents, number)
        found = found.model_copy(update={"told": await self._desk.told(number)})
        if found.by == "agents":
            await self._desk.keep(found)
        return found

    async def _with_models(self, agents: dict[str, AgentFile], number: int) -> Investigation:
        from dogwatch.agents.crew import Crew

        async with self._models() as runtime:
            crew = Crew(agents, runtime, self._desk, self.purse, self._progress)
            return await self._traced(crew, number)

    async def discuss(
        self,
        told: Answer,
        history: Sequence[Answer] = (),
        heard: Callable[[Statement], None] = lambda statement: None,
    ) -> Answer:
        """The answer with what agents add to it, where it speaks of an incident and a model is set; ``heard``
        gets each sentence that stands while the others are still written.

        Raises IncidentError, SettingsError or StoreError.
        """
        number = next((int(found[1]) for step in told.next if (found := _SHOWS.search(step))), None)
        if number is None or (self._runtime is None and not self._settings.model):
            return told
        if (lacking := self.why_not()) != "":
            return told.model_copy(update={"note": lacking})
        from dogwatch.agents.talk import discuss

        agents, purse = roster_of(self._settings), self.purse()
        async with AsyncExitStack() as stack:
            runtime = self._runtime
            if runtime is None:
                runtime = await stack.enter_async_context(self._models())
            return await discuss(
                told, number, history, agents, runtime, self._desk, purse, self._progress, heard
            )

    @asynccontextmanager
    async def _models(self) -> "AsyncGenerator[PydanticRuntime]":
        """A runtime that talks to the models of the settings; what their providers still allow is noted."""
        from dogwatch.agents.runtime import PydanticRuntime, known_price

        choice, headroom = choice_of(self._settings), dict[str, float]()
        async with client_for(headroom, choice) as client:
            try:
                yield PydanticRuntime(
                    lambda agent, own: build(chosen(choice, agent, own), choice, client),
                    price=lambda response: known_price(response, choice.usd_in, choice.usd_out),
                    headroom=headroom,
                )
            finally:
                await self._desk.note_headroom(headroom)

    async def _traced(self, crew: "Crew", number: int) -> Investigation:
        """Investigate, and tell what it consisted of where the settings say."""
        found = await crew.investigate(number)
        if self._settings.traces and crew.spans is not None:
            await self._desk.trace(crew.spans, found)
        return found

    def purse(self) -> Purse:
        """What one investigation may use."""
        settings = self._settings
        return Purse(tokens=settings.tokens, usd=settings.usd, seconds=settings.seconds)

    async def _by_rules(self, number: int, note: str) -> Investigation:
        from dogwatch.agents.crew import by_rules

        dossier = await self._desk.incident(number)
        precedents = await self._desk.similar(number, _PRECEDENTS)
        assessed, _, _ = await self._desk.health()
        found = by_rules(dossier, precedents, assessed, note, self._desk)
        return found.model_copy(update={"told": await self._desk.told(number)})

    def wanted(self, opened: Sequence[Incident]) -> list[Incident]:
        """Those of a round's new incidents that agents are to investigate, the worst first."""
        settings = self._settings
        wanted = [one for one in opened if one.severity.rank >= settings.severity.rank and not one.blind]
        wanted.sort(key=lambda one: (-one.severity.rank, one.number))
        return wanted[: settings.per_round]

    async def after_round(self, opened: Sequence[Incident]) -> list[Investigation]:
        """What a round lets agents investigate: its new incidents of the set severity, the worst first.

        A provider that is dead is asked once in a round. Raises nothing that a provider can bring about.
        """
        settings = self._settings
        if not settings.rounds or not opened:
            return []
        try:
            lacking = self.why_not()
        except SettingsError as error:
            lacking = error.message
        if lacking:
            await self._desk.record("agent:crew", "agent.unavailable", "crew", {"why": lacking})
            return []
        found: list[Investigation] = []
        for incident in self.wanted(opened):
            one = await self.investigate(incident.number)
            found.append(one)
            if one.usage.requests == 0 and one.note:
                break
        return found
