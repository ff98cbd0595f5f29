"""Steps out of a dbt manifest (``target/manifest.json``, schema v4 to v12; all of them have these fields)."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from dogwatch.pipelines.lineage import Step

_MAKES = frozenset({"model", "snapshot", "seed"})


def steps_of(manifest: object, job: str = "", source: str = "dbt") -> Iterator[Step]:
    """One step for each model, snapshot and seed; ``job`` is the watched job that runs the project, if any.

    Raises ValueError if this is no manifest.
    """
    whole = _object(manifest)
    if not isinstance(whole.get("nodes"), dict):
        raise ValueError("is no dbt manifest: it has no nodes")
    nodes = _objects(whole["nodes"])
    sources = _objects(whole.get("sources"))
    platform = str(_object(whole.get("metadata")).get("adapter_type") or "")
    tables = {key: _table(key, node) for key, node in (*nodes.items(), *sources.items())}
    for key, node in nodes.items():
        if node.get("resource_type") not in _MAKES:
            continue
        wanted = _object(node.get("depends_on")).get("nodes")
        uses = cast("list[object]", wanted) if isinstance(wanted, list) else []
        yield Step(
            name=key,
            reads=tuple(tables[one] for one in uses if isinstance(one, str) and one in tables),
            writes=(tables[key],),
            jobs=(job,) if job else (),
            platform=platform,
            source=source,
        )


def _table(key: str, node: Mapping[str, Any]) -> str:
    """``database.schema.table``. An ephemeral model is no table; a name of its own joins who uses it."""
    relation = node.get("relation_name")
    if isinstance(relation, str) and relation:
        return relation
    if _object(node.get("config")).get("materialized") == "ephemeral":
        return f"dbt.ephemeral.{key.replace('.', '_')}"
    names = (
        node.get("database"),
        node.get("schema"),
        node.get("identifier") or node.get("alias") or node.get("name"),
    )
    return ".".join(str(name).replace(".", "_") for name in names if name)


def _object(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _objects(value: object) -> dict[str, Mapping[str, Any]]:
    return {key: _object(item) for key, item in _object(value).items()}
