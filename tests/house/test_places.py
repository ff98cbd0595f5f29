"""One name, six places: what exists in one is in the others, and nobody keeps a list."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import click
import pytest

from dogwatch import cli, connectors, model, notify
from dogwatch.lab.twin import platform_names, twin_class
from dogwatch.manual import documents
from dogwatch.model import Noun

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_is_a_file_with_the_help_of_the_table(name: str) -> None:
    module = importlib.import_module(f"dogwatch.cli.{name}")
    command = module.command
    assert isinstance(command, click.Command)
    assert command.help is not None
    assert command.help.splitlines()[0] == cli.COMMANDS[name]


def test_the_help_of_every_command_leads_to_a_page() -> None:
    assert list(cli.PAGES) == list(cli.COMMANDS)
    assert [page for page in cli.PAGES.values() if not (documents() / page).is_file()] == []


def test_every_file_with_a_command_is_in_the_table() -> None:
    files = {module.name for module in pkgutil.iter_modules(cli.__path__)}
    held = {name for name in files if hasattr(importlib.import_module(f"dogwatch.cli.{name}"), "command")}
    assert held == set(cli.COMMANDS)


@pytest.mark.parametrize("name", connectors.names())
def test_a_connector_is_found_by_one_name_in_every_place(name: str) -> None:
    connector, twin = connectors.load(name), twin_class(name)
    assert twin.platform == name
    assert connector.Settings.__module__ == f"dogwatch.connectors.{name}"
    assert connector.Settings.model_config.get("extra") == "forbid"
    assert connector.Settings.model_config.get("frozen")
    assert (ROOT / "docs" / "connectors" / f"{name}.md").is_file()


@pytest.mark.parametrize("name", notify.names())
def test_a_channel_is_found_by_one_name_in_every_place(name: str) -> None:
    channel = notify.load(name)
    assert channel.Settings.__module__ == f"dogwatch.notify.{name}"
    assert channel.Settings.model_config.get("extra") == "forbid"
    assert channel.Settings.model_config.get("frozen")
    assert (ROOT / "docs" / "channels" / f"{name}.md").is_file()
    text = (ROOT / "src" / "dogwatch" / "notify" / f"{name}.py").read_text(encoding="utf-8")
    assert [other for other in notify.names() if f"dogwatch.notify.{other}" in text] == []


def test_connectors_and_twins_are_the_same_platforms() -> None:
    assert connectors.names() == platform_names()


def test_the_nouns_that_are_made_are_the_nouns_that_are_shown() -> None:
    assert model.__all__ == sorted(model.__all__, key=lambda name: (not name.isupper(), name))
    assert [name for name in model.__all__ if not hasattr(model, name)] == []
    told = {getattr(value, "__module__", "") for value in map(vars(model).get, model.__all__)}
    made = {
        name
        for module in told
        & {f"dogwatch.model.{found.name}" for found in pkgutil.iter_modules(model.__path__)}
        for name, value in vars(importlib.import_module(module)).items()
        if inspect.isclass(value) and issubclass(value, Noun) and not name.startswith("_")
    }
    assert made - set(model.__all__) == set()


def test_every_noun_is_frozen_and_strict() -> None:
    nouns = [value for value in vars(model).values() if inspect.isclass(value) and issubclass(value, Noun)]
    assert len(nouns) >= 5
    for noun in nouns:
        assert noun.model_config.get("frozen"), noun
        assert noun.model_config.get("extra") == "forbid", noun
        assert noun.__doc__, noun
