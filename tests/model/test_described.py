"""Docstrings under fields describe them, in schemas and for people, as pydantic itself would have it."""

from pydantic import BaseModel, ConfigDict, Field

from dogwatch.model import Finding, Run
from dogwatch.model.described import Described, descriptions
from dogwatch.model.report import CheckReport


class Ship(Described):
    """One of ours."""

    name: str
    """How she is called."""
    masts: int = 3
    """A number
    over two lines."""
    flag: str = Field(default="none", description="Said here.")
    """Not taken."""
    bare: int = 0


class Theirs(BaseModel):
    """The same, read by pydantic."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    """How she is called."""
    masts: int = 3
    """A number
    over two lines."""
    flag: str = Field(default="none", description="Said here.")
    """Not taken."""
    bare: int = 0


class Brig(Ship):
    """A ship with less."""

    masts: int = 2
    """Two."""


def test_the_schema_is_the_one_that_pydantic_makes_of_docstrings() -> None:
    assert Ship.model_json_schema()["properties"] == Theirs.model_json_schema()["properties"]


def test_what_is_inherited_is_described_and_what_is_told_anew_wins() -> None:
    assert dict(descriptions(Brig)) == {
        "name": "How she is called.",
        "masts": "Two.",
        "flag": "Not taken.",
    }


def test_a_model_without_a_field_has_a_schema() -> None:
    class Empty(Described):
        pass

    assert descriptions(Empty) == {}
    assert Empty.model_json_schema()["type"] == "object"


def test_nouns_within_nouns_are_described() -> None:
    finding = CheckReport.model_json_schema()["$defs"]["Finding"]["properties"]
    assert finding["fingerprint"]["description"] == descriptions(Finding)["fingerprint"]
    assert "attempt" in descriptions(Run)
