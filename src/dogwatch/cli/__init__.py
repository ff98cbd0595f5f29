"""The command line: parse, call a verb, render. Each command is one file, imported only when it is used."""

import importlib
import io
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click
from click.exceptions import NoSuchCommand

from dogwatch import __version__
from dogwatch.cli.shell import BROKEN_PIPE, INTERRUPTED, Given, complain, complain_usage, hush, shared
from dogwatch.manual import documents

COMMANDS: dict[str, str] = {
    "demo": "Break a simulated estate in three places and watch dogwatch find out.",
    "init": "Write dogwatch.yaml and .env.example, or add platforms to them.",
    "doctor": "Say whether each platform can be reached and read, and what to do if not.",
    "check": "Ask all platforms, remember every run, and say what is broken.",
    "watch": "Keep the watch: rounds by the clock and by events, until stopped.",
    "serve": "Serve the page that you open at 3 a.m., and the API, until interrupted.",
    "worker": "Make rounds together with other workers on a store on PostgreSQL, until stopped.",
    "incidents": "List incidents, worst first.",
    "incident": "Show one incident, take it on, mute, resolve or reopen it, or write it up.",
    "explain": "Show the numbers that a finding rests on, with a small picture.",
    "job": "Show one job: incidents, what is usual, errors by what they say, slots, runs.",
    "search": "Find jobs, incidents, actions and findings by a part of a name, a title or an id.",
    "ask": 'Answer a question such as "why was yesterday\'s sales late?".',
    "chat": "Ask one question after the other, as with ask; `and who is hit?` goes on about the same.",
    "investigate": "Let agents look into an incident; what they say stands beside what the rules say.",
    "logs": "Turn log files into a page of templates: what is said, how often, and what is new.",
    "graph": "Draw what depends on what: everything, one pipeline, or what concerns one job.",
    "actions": "Show what could be done and what waits for consent; approve it or reject it.",
    "halt": "Stop every action everywhere at once, whatever was allowed or approved.",
    "audit": "Show the record of everything that was decided or done.",
    "listen": "Hear the approve and reject buttons that people press in Slack, until interrupted.",
    "runs": "List remembered runs, newest first.",
    "schedule": "Show when jobs run next, and what became of their last slots.",
    "report": "Write a report that people open: verdict, incidents, timeline, heat map, durations.",
    "feedback": "Say how good what dogwatch said of an incident was: 0 is useless, 100 is exactly right.",
    "review": "Judge own alerts, causes and actions by what happened later and by feedback; show the trend.",
    "notify": "Channels to people: how each one is, and a test message.",
    "hub": "The copy of the audit trail in Snowflake or PostgreSQL: set it up, fill it, compare it.",
    "token": "List, make and revoke the tokens with which people and programs come in by web.",
    "mcp": "Serve read verbs, incidents and runbooks to coding assistants (MCP).",
    "agents": "List agents, show one, or check the files of your own.",
    "backup": "Write everything that is remembered into one new file.",
    "restore": "Fill the store, which has to be empty, from a backup.",
    "prune": "Forget what is older than `keep` in dogwatch.yaml allows.",
    "lab": "Simulated platforms: serve them, run scenarios, score dogwatch.",
    "causes": "Examine exported incidents offline: classify errors, rank culprits, replay a stream.",
}
"""Command name -> its one-line help, so that ``--help`` need not import them; file ``cli/<name>.py`` holds
a click command called ``command`` whose docstring begins with the same line (a house test compares)."""
_SECTIONS = {
    "demo": "Begin here",
    "watch": "Keep the watch",
    "incidents": "When something is wrong",
    "actions": "What may be done about it",
    "runs": "What was, and what comes",
    "notify": "Tell people and connect",
    "backup": "Look after the store",
    "lab": "Try and measure",
}
"""First command of a section in ``--help`` -> its heading."""
PAGES = {
    "demo": "tutorial.md",
    "init": "how-to/platform.md",
    "doctor": "how-to/blind.md",
    "check": "detection.md",
    "watch": "watch.md",
    "serve": "web.md",
    "worker": "watch.md",
    "incidents": "how-to/alert.md",
    "incident": "incidents.md",
    "explain": "detection.md",
    "job": "web.md",
    "search": "web.md",
    "ask": "asking.md",
    "chat": "asking.md",
    "investigate": "agents.md",
    "logs": "logs.md",
    "graph": "pipelines.md",
    "actions": "actions.md",
    "halt": "actions.md",
    "audit": "actions.md",
    "listen": "channels/slack.md",
    "runs": "how-to/alert.md",
    "schedule": "detection.md",
    "report": "report.md",
    "feedback": "agents.md",
    "review": "agents.md",
    "notify": "telling.md",
    "hub": "hub.md",
    "token": "web.md",
    "mcp": "asking.md",
    "agents": "agents.md",
    "backup": "how-to/backup.md",
    "restore": "how-to/backup.md",
    "prune": "store.md",
    "lab": "lab.md",
    "causes": "causes.md",
}
"""Command name -> the page of the documentation that tells more."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, and the one place where errors are shown."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table, which is the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one file. What every command takes is added to those that are no groups."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name}")
        command: click.Command = module.command
        command.epilog = f"\b\nMore: {documents() / PAGES[cmd_name]}"
        return command if isinstance(command, click.Group) else shared(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but the suggestion for a misspelt command knows the table."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            raise NoSuchCommand(name, possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The lists in ``--help``, from the tables alone."""
        widest = max(map(len, COMMANDS))
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, told in COMMANDS.items():
            heading = _SECTIONS.get(name) or [*sections][-1]
            sections.setdefault(heading, []).append((name.ljust(widest), told))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Where the documentation is."""
        with formatter.section("Documentation"):
            formatter.write_text(f"\b\n{documents() / 'index.md'}")

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever it raises becomes one line for a person."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            hush()
            ctx.exit(BROKEN_PIPE)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            complain(error, verbose=ctx.ensure_object(Given).verbose)
            ctx.exit(2)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> NoReturn:
        """Run and exit: 0, 1 and 3 are the command's own, 2 means that it could not run."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a hostile name must not break the output
        code: Any
        try:
            code = super().main(args, *rest, **{**extra, "standalone_mode": False})
        except click.ClickException as error:
            complain_usage(error)
            code = 2
        except click.Abort:
            code = INTERRUPTED
        sys.exit(code if isinstance(code, int) else 0)


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, "-V", "--version", message="dogwatch %(version)s")
def dogwatch() -> None:
    """dogwatch watches your data pipelines while you sleep.

    To see it work on simulated platforms, without any account: `dogwatch demo`. To watch your own: `dogwatch
    init airbyte` writes the configuration, `dogwatch doctor` tries it, `dogwatch check` looks once.
    """


shared(dogwatch)
