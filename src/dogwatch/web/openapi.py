"""The OpenAPI document, made from the table of operations and the nouns."""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, cast

from pydantic import BaseModel

from dogwatch import __version__
from dogwatch.web.api import OPERATIONS, ROOT
from dogwatch.web.operations import Operation, Param

_SCHEMAS = "#/components/schemas/"
_PROBLEM = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint"],
            "properties": {name: {"type": "string"} for name in ("code", "message", "hint")},
        }
    },
}


@cache
def document() -> dict[str, Any]:
    """The whole document, OpenAPI 3.1."""
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(ROOT + operation.path, {})[operation.method.lower()] = _described(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "dogwatch",
            "version": __version__,
            "description": "The verbs of dogwatch as JSON. Lists go on at the Link header's rel=next.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _described(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    problem = {"description": "", "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}Problem"}}}}
    refused = sorted({400, 401, 403, 404, 413, 415, 421, 429, 503, *operation.refuses})
    told: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.told,
        "description": f"Needs the scope {operation.scope.value}.",
        "parameters": [_parameter(param, operation) for param in operation.takes],
        "responses": {
            "200": _answer(operation, schemas),
            **{str(status): {**problem, "description": HTTPStatus(status).phrase} for status in refused},
        },
    }
    if operation.method == "GET":
        told["responses"]["304"] = {"description": "As before."}
    if operation.body:
        told["requestBody"] = {
            "content": {"application/json": {"schema": _body(operation)}},
            "required": any(param.required for param in operation.body),
        }
    return told


def _parameter(param: Param, operation: Operation) -> dict[str, Any]:
    in_path = param.name in operation.places
    schema = param.schema()
    if in_path and schema.get("type") == "string":
        schema.setdefault("minLength", 1)
    if param.kind == "words" and not param.words:
        schema = {"type": "array", "items": {"type": "string", "maxLength": param.longest}}
    return {
        "name": param.name,
        "in": "path" if in_path else "query",
        "required": in_path or param.required,
        "description": param.told,
        "schema": schema,
    }


def _body(operation: Operation) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {param.name: {**param.schema(), "description": param.told} for param in operation.body},
        "required": [param.name for param in operation.body if param.required],
        "additionalProperties": False,
    }


def _answer(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    if isinstance(operation.gives, str):
        return {"description": "Text.", "content": {operation.gives: {"schema": {"type": "string"}}}}
    schema = _schema(operation.gives, schemas)
    headers = {
        "ETag": {"schema": {"type": "string"}, "description": "Send it as If-None-Match."},
        "Link": {"schema": {"type": "string"}, "description": "The next page, if there is one."},
    }
    return {
        "description": "As asked.",
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
    }


def _schema(wanted: Any, schemas: dict[str, Any]) -> Any:
    """A schema with nouns replaced by references; the nouns go into ``schemas``."""
    if isinstance(wanted, type) and issubclass(wanted, BaseModel):
        made = wanted.model_json_schema(mode="serialization", ref_template=_SCHEMAS + "{model}")
        schemas.update(made.pop("$defs", {}))
        schemas[wanted.__name__] = made
        return {"$ref": f"{_SCHEMAS}{wanted.__name__}"}
    if isinstance(wanted, Mapping):
        told = cast("Mapping[str, Any]", wanted)
        return {key: _schema(value, schemas) for key, value in told.items()}
    return cast("Any", wanted)
