"""What people are told: in the order of the questions they have, and nothing without evidence."""

from datetime import timedelta

import pytest

from dogwatch.model import (
    Cause,
    Confidence,
    Consent,
    Deadline,
    Fields,
    IncidentState,
    Message,
    Occasion,
    Quote,
    Severity,
    Steps,
    Text,
)
from dogwatch.report.message import Line, asked, brief, digest, key_of
from support.clock import NOON
from support.letters import BERLIN, CAUSE, RUN, incident, resolved, told

HOUR = timedelta(hours=1)


def field(message: Message, label: str) -> str | None:
    return next(
        (
            value
            for block in message.blocks
            if isinstance(block, Fields)
            for name, value in block.fields
            if name == label
        ),
        None,
    )


def test_it_says_what_is_wrong_why_who_is_hit_by_when_and_what_to_do() -> None:
    message = told(incident())
    assert message.title == "INC-7 ERROR Airbyte cannot read Orders PG: permission denied for table orders"
    assert [type(block) for block in message.blocks] == [Text, Fields, Quote, Steps]
    assert field(message, "cause") == (
        "likely: the credential of Orders PG lost its right to read the table orders (auth_permission)"
        f"  (evidence {RUN.id[:4]})"
    )
    assert field(message, "started") == "12:34, 26 min ago"
    assert field(message, "hits") == "load_orders skipped · daily_sales next in the way"
    assert field(message, "deadline") == "Sales 14:00, in 1 h"


def test_a_claim_whose_evidence_is_not_there_is_not_made() -> None:
    one = incident()
    message = brief(one, one.causes, {}, Occasion.opened, (), BERLIN, NOON)
    said = message.model_dump_json()
    assert "credential" not in said
    assert "load_orders" not in said
    assert field(message, "cause") == "can't tell: nothing that was read says why"
    assert not any(isinstance(block, Quote) for block in message.blocks)


def test_alternatives_and_what_would_settle_them_are_told() -> None:
    other = Cause(
        claim="the network is down", subject="airbyte", confidence=Confidence.inconclusive, cites=(RUN.id,)
    )
    message = told(incident(causes=(CAUSE, other)))
    assert "can't tell: the network is down" in message.model_dump_json()
    assert "this would settle it: a successful read of the table with that user" in message.model_dump_json()


@pytest.mark.parametrize("occasion", Occasion)
def test_every_occasion_can_be_told_and_ends_in_something_to_do(occasion: Occasion) -> None:
    message = told(incident(reopened=1), occasion)
    assert isinstance(message.blocks[-1], Steps)
    assert message.title.startswith("INC-7 ")


def test_what_is_over_asks_nothing_and_says_how_long_it_took() -> None:
    message = told(resolved(incident(), NOON), Occasion.resolved)
    assert isinstance(message.blocks[0], Text)
    assert message.blocks[0].text == "Orders PG → RAW is as expected again since 13:00, after 26 min."
    assert "ack" not in message.model_dump_json()
    assert field(message, "hits") == "load_orders skipped"  # what was only threatened is not hit
    assert field(message, "deadline") is None


def test_a_missed_deadline_says_so() -> None:
    late = incident(deadlines=(Deadline(pipeline="Sales", due=NOON - HOUR, missed=True),))
    assert field(told(late), "deadline") == "Sales 12:00 missed, 1 h ago"


def test_the_same_occasion_of_the_same_state_has_the_same_key() -> None:
    one = incident()
    assert key_of(one, Occasion.opened) == key_of(one.model_copy(update={"version": 9}), Occasion.opened)
    again = one.model_copy(update={"reopened": 1})
    assert key_of(again, Occasion.reopened) != key_of(one, Occasion.reopened)
    changed = one.model_copy(update={"version": 2, "state": IncidentState.mitigated})
    assert key_of(changed, Occasion.changed) == "INC-7/changed/2"


def test_consent_is_asked_for_before_the_other_steps() -> None:
    consent = Consent(action="a-1", digest="d", label="Rerun once", why="policy asks")
    blocks = asked(told(incident()), [consent]).blocks
    assert [type(block) for block in blocks[-2:]] == [Consent, Steps]


def test_a_digest_names_every_incident_the_worst_in_full() -> None:
    lines = [Line(n, Severity.WARNING, f"job {n}", f"airbyte/{n}") for n in range(1, 301)]
    lines[99] = Line(100, Severity.CRITICAL, "the worst", "snowflake/x")
    message = digest(lines, "why", "digest/1@x", BERLIN, NOON)
    assert message.severity is Severity.CRITICAL
    said = message.model_dump_json()
    assert "INC-100 CRITICAL the worst" in said
    assert "100 more: INC-15–99, 101–115" in said
    assert "85 more: INC-216–300" in said
