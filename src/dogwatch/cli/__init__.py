"""The command line: parse, call a verb, render. Each command is one file, imported only when it is used."""

import importlib

import click

COMMANDS: dict[str, str] = {
    "check": "Ask all platforms, remember every run, and say what is broken.",
}
"""Command name -> its one-line help, so that ``--help`` need not import them; file ``cli/<name>.py`` holds
a click command called ``command`` whose docstring begins with the same line (a house test compares)."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table, which is the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one file."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``--help``, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="dogwatch", message="dogwatch %(version)s")
def dogwatch() -> None:
    """dogwatch watches your data pipelines while you sleep."""
