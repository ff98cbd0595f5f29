"""Docstrings under fields as their descriptions, read from the source only when somebody asks for them.

pydantic's ``use_attribute_docstrings`` reads them while the classes are made, which costs every start 80 ms.
"""

import ast
import functools
import inspect
import itertools
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


class Described(BaseModel):
    """A model whose fields are described by the docstrings under them."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        """The schema, each property with its description."""
        schema = handler(core_schema)
        own: Any = handler.resolve_ref_schema(schema)
        properties = cast("dict[str, dict[str, Any]]", own.get("properties", {}))
        for name, said in descriptions(cls).items():
            key = cls.model_fields[name].alias or name
            if key in properties:
                properties[key].setdefault("description", said)
        return schema


@functools.cache
def descriptions(model: type[BaseModel]) -> Mapping[str, str]:
    """Field -> the docstring under it, inherited ones included; none where the source is not at hand."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not issubclass(owner, BaseModel) or owner is BaseModel:
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
        except OSError:
            continue
        body = cast("ast.ClassDef", tree.body[0]).body
        found |= dict(said for said in itertools.starmap(_said, itertools.pairwise(body)) if said)
    return {name: found[name] for name in model.model_fields if name in found}


def _said(field: ast.stmt, text: ast.stmt) -> tuple[str, str] | None:
    """(name, docstring) if the statements are a field and the text under it."""
    match field, text:
        case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(told))):
            return name, inspect.cleandoc(told)
        case _:
            return None
