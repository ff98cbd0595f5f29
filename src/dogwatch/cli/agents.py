"""``dogwatch agents``: the roster, ours and the user's."""

from pathlib import Path

import click

from dogwatch.cli.shell import read_settings, shared, tell, text_or_json
from dogwatch.errors import SettingsError


@click.group("agents", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List agents, show one, or check the files of your own."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@shared
@command.command("list")
@text_or_json
@click.pass_context
def list_command(ctx: click.Context, output: str = "text") -> None:
    """List all agents with their tools, and what is wrong with files of your own."""
    import json

    from dogwatch.investigator import choice_of, own_agents, roster_of

    settings = read_settings(ctx).agents
    found, choice = roster_of(settings), choice_of(settings)
    broken = [one for one in own_agents(settings) if one.faults]
    if output == "json":
        tell(json.dumps([one.model_dump(mode="json") for one in (*found.values(), *broken)], indent=2))
        return
    wide = max(len(name) for name in found)
    for name, one in sorted(found.items()):
        may = f"{len(one.tools)} tools" + (f", asks {len(one.can_spawn)}" if one.can_spawn else "")
        mark = "yours" if one.own else ""
        tell(f"{name:{wide}}  {one.authority.value:8} {may:22} {mark:6} {one.description}"[:200].rstrip())
    for one in broken:
        tell(f"{one.source}: not used: {'; '.join(one.faults)}")
    tell(f"\nmodel: {choice.model or 'none: rules answer alone (agents.model in dogwatch.yaml)'}")


@shared
@command.command("show")
@click.argument("name")
@click.pass_context
def show_command(ctx: click.Context, name: str) -> None:
    """Show one agent: what it may use, whom it may ask, its instructions."""
    from dogwatch.investigator import choice_of, roster_of
    from dogwatch.settings.zones import nearest

    settings = read_settings(ctx).agents
    found = roster_of(settings)
    one = found.get(name)
    if one is None:
        near = nearest(name, found)
        raise SettingsError(
            f"there is no agent {name!r:.60}", f"did you mean {near}?" if near else "dogwatch agents"
        )
    choice = choice_of(settings)
    limits = ", ".join(f"{key} {value}" for key, value in one.limits.model_dump().items())
    rows = {
        "name": one.name,
        "file": one.source,
        "about": one.description,
        "authority": one.authority.value,
        "tools": ", ".join(one.tools) or "none",
        "asks": ", ".join(one.can_spawn) or "nobody",
        "limits": limits,
        "model": choice.models.get(one.name) or one.model or choice.model or "none",
        "note": "; ".join(one.notes),
    }
    for label, said in rows.items():
        if said:
            tell(f"{label:10} {said}")
    tell(f"\n{one.instructions}")


@shared
@command.command("lint")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[FILE|FOLDER]...")
@click.pass_context
def lint_command(ctx: click.Context, paths: tuple[Path, ...]) -> None:
    """Check files of agents: those named, else those of agents.folder.

    Says which keys and tools were not understood. Exit code 1 if a file cannot be used.
    """
    from dogwatch.agents.roster_files import read_agent, read_folder
    from dogwatch.investigator import own_agents

    found = [] if paths else list(own_agents(read_settings(ctx).agents))
    for path in paths:
        if path.is_dir():
            found += read_folder(path)
        else:
            found.append(read_agent(str(path), path.read_text("utf-8", "replace")))
    for one in found:
        tell(f"{one.source}: {one.name}: {'cannot be used' if one.faults else 'ok'}")
        for said in one.faults:
            tell(f"  wrong: {said}")
        for said in one.notes:
            tell(f"  note:  {said}")
    if not found:
        tell("no files: name some, or set agents.folder in dogwatch.yaml")
    if any(one.faults for one in found):
        ctx.exit(1)
