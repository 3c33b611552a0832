"""The forms by which people start tasks: made from the params of each task type."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from app.tasks.base import BaseTask
from app.tasks.params.schema import Param, params_schema

__all__ = ["task_form"]

_ROLE = re.compile(r":[a-z:]+:`~?([^`]*)`|``([^`]*)``")

_LIMITS = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "format": "format",
}
"""The keywords of a JSON schema that a form shows, and their names in a field."""

_KINDS = {
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "string": "string",
    "object": "json",
    "array": "json",
}
"""The kind of field for each type of a JSON schema."""


def task_form(task: BaseTask) -> dict[str, Any]:
    """Return the form of a task type, as JSON data.

    Returns:
        ``name``, ``help`` (the first paragraph of the docstring), ``fields``, and ``accepts_more``:
        whether params of other names are accepted. Each field has ``name``, ``label``, ``help``,
        ``kind``, ``required``, ``nullable``, ``secret``; and ``default``, ``example``, ``choices``,
        ``minimum``, ``maximum``, ``above``, ``below``, ``min_length``, ``max_length``, ``pattern``
        and ``format`` where the param has them. The kinds are ``integer``, ``number``,
        ``boolean``, ``string``, ``choice``, ``json`` (an object or an array), and ``any`` (any JSON
        value).
    """
    schema = params_schema(type(task))
    return {
        "name": task.name,
        "help": _first_paragraph(type(task).__doc__),
        "fields": [_field(param) for param in schema.params],
        "accepts_more": schema.accepts_more,
    }


def _field(param: Param) -> dict[str, Any]:
    whole = param.resolve(param.schema)
    value, is_nullable = _without_null(param, whole)
    field: dict[str, Any] = {
        "name": param.name,
        "label": whole.get("title") or value.get("title") or param.name,
        "help": _first_paragraph(whole.get("description") or value.get("description")),
        "kind": _kind(value),
        "required": param.is_required,
        "nullable": is_nullable,
        "secret": param.is_secret,
    }
    if "default" in whole and not param.is_secret:
        field["default"] = whole["default"]
    examples = whole.get("examples") or value.get("examples")
    if isinstance(examples, list) and examples:
        field["example"] = examples[0]
    if (choices := _choices(value)) is not None:
        field["choices"] = choices
    field |= {name: value[keyword] for keyword, name in _LIMITS.items() if keyword in value}
    return field


def _without_null(param: Param, schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Return the schema of the values other than null, and whether null is a value."""
    options = schema.get("anyOf")
    if not isinstance(options, list):
        return schema, False
    resolved = [param.resolve(option) for option in options]
    others = [option for option in resolved if option.get("type") != "null"]
    is_nullable = len(others) < len(resolved)
    return (others[0] if len(others) == 1 else schema), is_nullable


def _kind(value: Mapping[str, Any]) -> str:
    if _choices(value) is not None:
        return "choice"
    kind = value.get("type")
    return _KINDS.get(kind, "any") if isinstance(kind, str) else "any"


def _choices(value: Mapping[str, Any]) -> list[Any] | None:
    if "const" in value:
        return [value["const"]]
    choices = value.get("enum")
    return choices if isinstance(choices, list) else None


def _first_paragraph(text: object) -> str:
    """Return the first paragraph of a docstring as plain text on one line."""
    if not isinstance(text, str):
        return ""
    paragraph = inspect.cleandoc(text).partition("\n\n")[0]
    return " ".join(_ROLE.sub(lambda role: role[1] or role[2], paragraph).split())
