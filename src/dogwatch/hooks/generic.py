"""Anybody who can sign a call by the Standard Webhooks specification, or show a bearer token.

The body is a JSON object; ``connectors`` in it may name those that it concerns, ``says`` what happened and
``id`` the event.
"""

import hashlib
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from dogwatch.hooks.base import Heard, Hook, HookSettings, Post, Refused, read_object
from dogwatch.hooks.signing import standard
from dogwatch.model.text import one_line

_LIST = TypeAdapter(Annotated[list[str], Field(max_length=100)])


class GenericSettings(HookSettings):
    """Who may call."""

    signed: bool = True
    """Whether every call has to be signed (webhook-id, webhook-timestamp, webhook-signature; the secret as
    whsec_<base64> or plain). With false the secret as a bearer token is enough, and calls can be replayed."""


class Generic(Hook[GenericSettings]):
    """Takes events of any system."""

    Settings = GenericSettings
    title = "a signed webhook"

    def hear(self, post: Post) -> Heard:
        """What it says. Raises Refused."""
        secret = self.settings.secret.get_secret_value()
        if self.settings.signed:
            id_ = standard(post, secret)
        else:
            self.shown(post)
            id_ = ""
        told = read_object(post.body)
        given = _names(told.get("connectors"))
        return Heard(
            key=(id_ or str(told.get("id") or hashlib.sha256(post.body).hexdigest()))[:500],
            says=one_line(str(told.get("says") or "an event"), 200),
            connectors=given,
        )


def _names(said: object) -> tuple[str, ...] | None:
    """The connectors that are named; None if none are. Raises Refused."""
    if said is None:
        return None
    try:
        return tuple(_LIST.validate_python(said, strict=True))
    except ValidationError:
        raise Refused(400, "connectors is not a list of names") from None
