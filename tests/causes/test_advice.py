"""What to do next: the user's own runbook first, then the shipped one for class and platform."""

from datetime import UTC, datetime

import pytest

from dogwatch.causes.advice import (
    VERBS,
    About,
    advise,
    choose,
    read_runbook,
    runbook_evidence,
    shipped,
)
from dogwatch.model import Cause, CauseClass, Confidence

PLATFORMS = {"airbyte", "databricks", "power_automate", "snowflake"}
ORDERS = About(
    "airbyte/8f1c",
    name="Orders PG → RAW",
    platform="airbyte",
    cause_class=CauseClass.auth_permission,
    labels=("sales", "failed"),
    url="https://airbyte.example/8f1c",
)
CAUSE = Cause(
    claim="Orders PG → RAW failed",
    cause_class=CauseClass.auth_permission,
    subject="airbyte/8f1c",
    confidence=Confidence.confirmed,
    cites=("e1",),
)


def test_every_class_has_a_runbook_with_a_section_for_every_platform() -> None:
    assert sorted(book.classes[0] for book in shipped()) == sorted(one.value for one in CauseClass)
    for book in shipped():
        assert book.sections.keys() == PLATFORMS | {""}
        for section in book.sections.values():
            assert section.symptoms
            assert section.check
            assert section.remedy
            assert section.action in VERBS


def test_the_next_step_names_the_job_and_where() -> None:
    first, *_ = advise(CAUSE, ORDERS, "failed", "dogwatch runs --job 8f1c")
    assert first.sentence.startswith("Orders PG → RAW: set the new password")
    assert first.where == "https://airbyte.example/8f1c"
    assert first.verb == "rerun"


def test_the_users_own_runbook_is_preferred_and_the_most_exact_of_them() -> None:
    by_class = read_runbook("auth.md", "---\nclass: auth_permission\n---\n# Ask Kim")
    by_label = read_runbook("sales.md", "---\nlabel:\n  - sales\n---\n# Sales")
    by_job = read_runbook("orders.md", "---\njob: [airbyte/Orders*, x]  # ours\naction: rerun\n---\n# Orders")
    other = read_runbook("other.md", "---\njob: airbyte/Orders*\nclass: bad_data\n---\n# Other")
    assert choose([by_class, by_label, by_job, other], ORDERS) is by_job
    assert choose([by_class, by_label, other], ORDERS) is by_label
    assert choose([by_class, other], ORDERS) is by_class
    fallback = choose([other], ORDERS)
    assert fallback is not None
    assert not fallback.own
    first = advise(CAUSE, ORDERS, "failed", "dogwatch", [by_job])[0]
    assert (first.sentence, first.where, first.verb) == ("Follow the runbook “Orders”", "orders.md", "rerun")


def test_a_runbook_without_keys_is_for_nobody_and_one_with_wrong_keys_is_refused() -> None:
    assert choose([read_runbook("a.md", "# Notes")], About("x/1")) is None
    for text, said in [
        ("---\nkind: x\n---\n", "known: job, class"),
        ("---\nclass: broken\n---\n", "auth_permission"),
        ("---\naction: explode\n---\n", "rerun"),
    ]:
        with pytest.raises(ValueError, match=said):
            read_runbook("a.md", text)


def test_without_a_class_nothing_is_guessed_and_what_would_settle_it_is_said() -> None:
    unknown = CAUSE.model_copy(update={"cause_class": None, "settle": "the run's own log"})
    about = About("airbyte/8f1c", name="Orders", platform="airbyte")
    said = [step.sentence for step in advise(unknown, about, "slow", "dogwatch runs")]
    assert said[0].startswith("Look at what Orders is busy with")
    assert said[1] == "This would settle it: the run's own log"


def test_a_paused_job_is_switched_on_again_whatever_its_class() -> None:
    assert advise(CAUSE, ORDERS, "paused", "dogwatch")[0].verb == "resume"


def test_a_runbook_is_evidence_with_its_text() -> None:
    proof = runbook_evidence(shipped()[0], "airbyte/1", datetime(2026, 3, 3, tzinfo=UTC))
    assert proof.kind.value == "runbook"
    assert "# " in str(proof.content["text"])
