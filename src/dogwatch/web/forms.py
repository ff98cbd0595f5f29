"""What people decide on a page, by the same verbs as on the command line; then the page that shows it."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

from starlette.responses import RedirectResponse, Response

from dogwatch.model import Incident
from dogwatch.model.text import one_line
from dogwatch.web.errors import Refused
from dogwatch.web.pages import dossier_of, number_of
from dogwatch.web.site import Ask

VIA = "the page"
_SPANS = {
    "1h": timedelta(hours=1),
    "8h": timedelta(hours=8),
    "1d": timedelta(days=1),
    "": None,
}
_ACTION = re.compile(r"[0-9a-f]{10}-[0-9]{1,9}")
_DIGEST = re.compile(r"[0-9a-f]{16}")


async def approve(ask: Ask) -> Response:
    """Consent to one exact action; it is done at once."""
    return await _consent(ask, yes=True)


async def reject(ask: Ask) -> Response:
    """Say no."""
    return await _consent(ask, yes=False)


async def _consent(ask: Ask, *, yes: bool) -> Response:
    """A page shows one exact action, so its digest has to come along."""
    id_, digest = action_id(ask.path("action")), ask.form.get("digest", "")
    if not _DIGEST.fullmatch(digest):
        raise Refused(400, "the form does not say which action exactly was seen", "load the page again")
    done = await ask.app.consent(id_, ask.caller.name, yes=yes, via=VIA, digest=digest)
    return RedirectResponse(f"/incidents/INC-{done.incident}#action-{done.id}", 303)


def action_id(text: str) -> str:
    """A whole action id. Raises Refused."""
    if not _ACTION.fullmatch(text):
        raise Refused(404, "there is no such action", "dogwatch actions --all")
    return text


async def decide(ask: Ask) -> Response:
    """Take an incident on, mute it, resolve it, reopen it, or keep a note."""
    number, verb = number_of(ask.path("incident")), ask.path("verb")
    step = _VERBS.get(verb)
    if step is None:
        raise Refused(404, "there is nothing here")
    await dossier_of(ask, number)
    await step(ask, number)
    return RedirectResponse(f"/incidents/INC-{number}", 303)


async def _mute(ask: Ask, number: int) -> Incident:
    wanted = ask.form.get("for", "")
    if wanted not in _SPANS:
        raise Refused(400, "for how long?", "1h, 8h, 1d, or nothing: until it is over")
    lasts = _SPANS[wanted]
    until = None if lasts is None else ask.site.now() + lasts
    return await ask.app.mute(number, ask.caller.actor, until, _why(ask))


def _why(ask: Ask) -> str:
    return one_line(ask.form.get("why", ""), 200)


_VERBS: dict[str, Callable[[Ask, int], Awaitable[Incident]]] = {
    "ack": lambda ask, number: ask.app.acknowledge(number, ask.caller.actor),
    "mute": _mute,
    "unmute": lambda ask, number: ask.app.unmute(number, ask.caller.actor),
    "resolve": lambda ask, number: ask.app.resolve(number, ask.caller.actor, _why(ask)),
    "reopen": lambda ask, number: ask.app.reopen(number, ask.caller.actor, _why(ask)),
    "note": lambda ask, number: ask.app.note(number, ask.caller.actor, ask.form.get("text", "")),
}


async def halt(ask: Ask) -> Response:
    """Stop every action, or let them go on."""
    await ask.app.halt(ask.caller.name, off=ask.form.get("off") == "1")
    return RedirectResponse("/actions", 303)
