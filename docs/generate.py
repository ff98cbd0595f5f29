"""Writes the documents that follow from the code: cli.md, api.md, the schemas, parts of other pages.

python docs/generate.py            write them
python docs/generate.py --check    say which are out of date; exit code 1 if any is
"""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from dogwatch import connectors, hooks, hub, notify, settings
from dogwatch.cli import COMMANDS, dogwatch
from dogwatch.manual import documents
from dogwatch.model.overview import Overview
from dogwatch.settings import policy_text, scaffold
from dogwatch.web.openapi import document

DOCS = Path(__file__).parent
WORKFLOW = "../.github/workflows/pipeline-monitoring.yml"
_WIDTH = 88
_BEGIN, _END = "<!-- begin: docs/generate.py -->", "<!-- end: docs/generate.py -->"


def cli_reference() -> str:
    """docs/cli.md: the help of every command."""
    parts = ["# The command line\n\nWritten by `docs/generate.py` from `--help`.\n"]
    root = _context(dogwatch, "dogwatch", None)
    parts.append(_section(root, 2))
    for name in COMMANDS:
        command = dogwatch.get_command(root, name)
        assert command is not None
        parts += _tree(command, name, root, 2)
    return "\n".join(parts)


def _tree(command: click.Command, name: str, parent: click.Context, level: int) -> list[str]:
    ctx = _context(command, name, parent)
    parts = [_section(ctx, level)]
    if isinstance(command, click.Group):
        for inner in command.list_commands(ctx):
            found = command.get_command(ctx, inner)
            assert found is not None
            parts += _tree(found, inner, ctx, level + 1)
    return parts


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return command.make_context(
        name, [], parent, resilient_parsing=True, terminal_width=_WIDTH, max_content_width=_WIDTH
    )


def _section(ctx: click.Context, level: int) -> str:
    told = ctx.get_help().replace(str(documents()), "docs")
    return f"{'#' * level} {ctx.command_path}\n\n```text\n{told}\n```\n"


def schema() -> str:
    """docs/dogwatch.schema.json."""
    return json.dumps(settings.schema(), indent=2, ensure_ascii=False) + "\n"


def configuration() -> str:
    """docs/configuration.md, with what stands between its marks written anew."""
    tables = ["### For all", "", *_table(scaffold.general_rows())]
    tables += ["", "### About jobs", "", *_table(scaffold.watching_rows())]
    for key, found in scaffold.watching_parts().items():
        tables += ["", f"### {key}: what may stand in each", "", *_table(found)]
    tables += ["", "### jobs: what may stand under a pattern", "", *_table(scaffold.job_rows())]
    tables += ["", "### About pipelines", "", *_table(scaffold.flow_rows())]
    tables += ["", "### pipelines: what may be said of each", "", *_table(scaffold.pipeline_rows())]
    tables += ["", "### lineage", "", *_table(scaffold.lineage_rows())]
    tables += ["", "### About telling people", "", *_table(scaffold.telling_rows())]
    for key, found in scaffold.telling_parts().items():
        each = "" if key == "budget" else ": what may stand in each"
        tables += ["", f"### {key}{each}", "", *_table(found)]
    tables += ["", "### watch", "", *_table(scaffold.watch_rows())]
    tables += ["", "### keep", "", *_table(scaffold.keep_rows())]
    for kind in hooks.names():
        heading = f"### hook {kind}: {hooks.load(kind).title}"
        tables += ["", heading, "", *_table(scaffold.hook_rows(kind))]
    tables += ["", "### agents", "", *_table(scaffold.agents_rows())]
    for kind in hub.names():
        tables += ["", f"### hub {kind}: {hub.load(kind).title}", "", *_table(scaffold.hub_rows(kind))]
    tables += ["", "### openlineage", "", *_table(scaffold.openlineage_rows())]
    for kind in notify.names():
        tables += [
            "",
            f"### channel {kind}: {scaffold.title(kind)}",
            "",
            *_table(scaffold.connector_rows(kind)),
        ]
    for kind in connectors.names():
        tables += [
            "",
            f"### {kind}: {connectors.load(kind).title}",
            "",
            *_table(scaffold.connector_rows(kind)),
        ]
    inner = "\n".join([_BEGIN, "", *tables, "", _END])
    current = (DOCS / "configuration.md").read_text(encoding="utf-8")
    return re.sub(f"{_BEGIN}.*{_END}", lambda _: inner, current, flags=re.DOTALL)


def actions() -> str:
    """docs/actions.md, with the example and the tables of policy.yaml written anew."""
    tables = ["### policy.yaml", "", *_table(_plain(policy_text.policy_rows()))]
    for key, found in policy_text.part_rows().items():
        each = "" if key == "bounds" else ": what may stand in each"
        tables += ["", f"### {key}{each}", "", *_table(_plain(found))]
    current = (DOCS / "actions.md").read_text(encoding="utf-8")
    inner = "\n".join([_BEGIN, "", *tables, "", _END])
    current = re.sub(f"{_BEGIN}.*{_END}", lambda _: inner, current, flags=re.DOTALL)
    begin, end = (mark.replace(" -->", ": example -->") for mark in (_BEGIN, _END))
    shown = f"{begin}\n\n```yaml\n{policy_text.EXAMPLE}```\n\n{end}"
    return re.sub(f"{begin}.*{end}", lambda _: shown, current, flags=re.DOTALL)


def _plain(rows: Sequence[scaffold.Row]) -> list[scaffold.Row]:
    """No variable holds them."""
    return [replace(row, variable="", secret=False) for row in rows]


def workflow() -> str:
    """The scheduled workflow, with the secrets of all connectors and channels handed on."""
    kinds = (*connectors.names(), *notify.names())
    found = {name for kind in kinds for name in scaffold.secret_variables(kind)}
    found |= {row.variable for kind in hub.names() for row in scaffold.hub_rows(kind) if row.secret}
    found |= {row.variable for row in scaffold.openlineage_rows() if row.secret}
    names = sorted(found)
    begin, end = (f"          # {mark}: docs/generate.py" for mark in ("begin", "end"))
    lines = [begin, *(f"          {name}: ${{{{ secrets.{name} }}}}" for name in names), end]
    current = (DOCS / WORKFLOW).read_text(encoding="utf-8")
    return re.sub(f"{begin}.*{end}", lambda _: "\n".join(lines), current, flags=re.DOTALL)


def report_schema() -> str:
    """docs/report.schema.json."""
    told = Overview.model_json_schema(mode="serialization")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "dogwatch.report/1"}
    return json.dumps({**told, **head}, indent=2, ensure_ascii=False) + "\n"


def policy_schema() -> str:
    """docs/policy.schema.json."""
    return json.dumps(policy_text.policy_schema(), indent=2, ensure_ascii=False) + "\n"


def api() -> str:
    """docs/api.md: every call of the HTTP API, from its OpenAPI document."""
    told = document()
    parts = [
        "# The HTTP API",
        "",
        "Written by `docs/generate.py` from the OpenAPI 3.1 document that `dogwatch serve` gives at",
        "`/api/v1/openapi.json`, which also describes every field of the answers. How to get in, paging,",
        "entity tags and errors: [the page and the API](web.md#the-api).",
    ]
    for path, methods in told["paths"].items():
        for method, found in methods.items():
            parts += ["", f"## {method.upper()} {path}", "", *_call(found)]
    return "\n".join(parts) + "\n"


def _call(found: Mapping[str, Any]) -> list[str]:
    """What one call is for, what it takes and what it answers."""
    content = next(iter(found["responses"]["200"]["content"].items()))
    rows = [
        (one["name"], one["in"], one["required"], one["schema"], one["description"])
        for one in found["parameters"]
    ]
    if body := found.get("requestBody"):
        schema = next(iter(body["content"].values()))["schema"]
        rows += [
            (name, "body", name in schema["required"], one, one["description"])
            for name, one in schema["properties"].items()
        ]
    lines = [f"{found['summary']} {found['description']}", "", f"Answers {_answer(*content)}."]
    if rows:
        lines += ["", "| name | in | may be | meaning |", "|---|---|---|---|"]
    for name, place, required, schema, meaning in rows:
        mark = ", *required*" if required and place != "path" else ""
        lines.append(
            f"| `{name}` | {place} | {_kind(schema)}{mark} | {meaning.replace('|', chr(92) + '|')} |"
        )
    return lines


def _answer(media: str, content: Mapping[str, Any]) -> str:
    schema = content["schema"]
    if media != "application/json":
        return f"text ({media})"
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if schema.get("type") == "array":
        return f"a list of {_answer(media, {'schema': schema['items']})}"
    return f"an object of {', '.join(f'`{name}`' for name in schema.get('properties', ())) or 'named values'}"


def _kind(schema: Mapping[str, Any]) -> str:
    """A type as people say it."""
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if schema["type"] == "array":
        return f"several of {_kind(schema['items'])}"
    words = {"integer": "number", "boolean": "`true`, `false`", "string": "text"}
    found = "time" if schema.get("format") == "date-time" else words[schema["type"]]
    return f"{found}, default {schema['default']}" if schema.get("default") not in (None, False) else found


def _table(rows: Sequence[scaffold.Row]) -> list[str]:
    variables = any(row.variable for row in rows)
    heads = ["key", *(["variable"] if variables else []), "default", "meaning"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in rows:
        key = "*variable only*" if row.secret else f"`{row.key}`"
        default = "*required*" if row.required else f"`{row.default}`" if row.default else ""
        meaning = row.meaning.replace("|", "\\|").replace("<", "&lt;")
        cells = [key, *([f"`{row.variable}`"] if variables else []), default, meaning]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main(check: bool) -> int:
    """Write the documents, or count those that are out of date."""
    stale = 0
    for name, make in DOCUMENTS.items():
        file, text = DOCS / name, make()
        if file.exists() and file.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if not check:
            file.write_text(text, encoding="utf-8")
        click.echo(f"{name} {'is out of date: run python docs/generate.py' if check else 'written'}")
    return 1 if check and stale else 0


DOCUMENTS: Mapping[str, Callable[[], str]] = {
    WORKFLOW: workflow,
    "actions.md": actions,
    "api.md": api,
    "cli.md": cli_reference,
    "configuration.md": configuration,
    "dogwatch.schema.json": schema,
    "policy.schema.json": policy_schema,
    "report.schema.json": report_schema,
}

if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
