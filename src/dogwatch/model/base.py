"""What all nouns share: frozen, strict, and times that are always aware UTC."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, ConfigDict, GetPydanticSchema
from pydantic_core.core_schema import datetime_schema

from dogwatch.model.described import Described


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999 in UTC") from None


UtcTime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""An instant. A naive datetime is refused, any zone is converted to UTC."""


Instant = Annotated[datetime, GetPydanticSchema(lambda _source, _handler: datetime_schema(tz_constraint=0))]
"""An instant that must be UTC already: checked without a call into Python, for what there is much of."""


class Noun(Described):
    """A value: compared by content, never changed after it is made."""

    model_config = ConfigDict(frozen=True, extra="forbid")
