"""The params of a task type as JSON schemas, which forms and the memory of params are made from."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, get_type_hints

from pydantic import AliasChoices, AliasPath, BaseModel, PydanticUserError, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticSerializationError, to_jsonable_python

from app.tasks.base import BaseTask

__all__ = ["Param", "ParamsSchema", "params_schema"]

_CACHED_TYPES = 256


class Param(NamedTuple):
    """One param of a task type.

    Args:
        name: the name by which a client sends the param.
        schema: the JSON schema of its value; empty if any value is accepted or nothing is known.
        definitions: the schemas that ``schema`` refers to, by name.
        is_required: whether a start without the param is refused.
    """

    name: str
    schema: Mapping[str, Any]
    definitions: Mapping[str, Any]
    is_required: bool

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a schema with the definition that it refers to, if there is one."""
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        definition = self.definitions.get(reference.rpartition("/")[2], {})
        return {**definition, **{key: schema[key] for key in schema if key != "$ref"}}

    @property
    def is_secret(self) -> bool:
        """True if the value, or a part of it, is a secret: ``SecretStr`` or ``SecretBytes``."""
        return any(
            part.get("writeOnly") is True or part.get("format") == "password"
            for part in self._parts(self.schema, set())
        )

    def _parts(self, value: Any, seen: set[str]) -> Iterator[Mapping[str, Any]]:
        """List a schema and all schemas inside it. A definition may refer to itself."""
        if isinstance(value, list):
            for item in value:
                yield from self._parts(item, seen)
        elif isinstance(value, Mapping):
            yield value
            reference = value.get("$ref")
            if isinstance(reference, str) and reference not in seen:
                seen.add(reference)
                yield from self._parts(self.resolve({"$ref": reference}), seen)
            for item in value.values():
                yield from self._parts(item, seen)


class ParamsSchema(NamedTuple):
    """The params of a task type.

    Args:
        params: the params that have names, in the order of their definition.
        accepts_more: whether a start may have params of other names.
        secret_names: the names of the params that are or contain secrets, with their aliases.
        is_known: False if the types of some params cannot be told, so that each may be a secret.
    """

    params: tuple[Param, ...] = ()
    accepts_more: bool = True
    secret_names: frozenset[str] = frozenset()
    is_known: bool = False


class _QuietSchema(GenerateJsonSchema):
    """A generator that leaves out what a JSON schema cannot say, without a warning."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as in pydantic's class


@functools.lru_cache(maxsize=_CACHED_TYPES)
def params_schema(task_class: type[BaseTask]) -> ParamsSchema:
    """Return the params that a task type accepts.

    This never raises: of a task whose params have no JSON schema, less is known.
    """
    if task_class.params_model is not None:
        return _of_model(task_class.params_model)
    return _of_signature(task_class)


def _of_model(model: type[BaseModel]) -> ParamsSchema:
    try:
        schema = model.model_json_schema(schema_generator=_QuietSchema)
    except (PydanticUserError, TypeError, ValueError):  # a type that JSON does not have
        return ParamsSchema()
    schema = _root(schema)
    required = schema.get("required", [])
    params = tuple(
        Param(name, value, schema.get("$defs", {}), name in required)
        for name, value in schema.get("properties", {}).items()
    )
    secret = {param.name for param in params if param.is_secret}
    for name, field in model.model_fields.items():
        if (names := _names(name, field)) & secret:
            secret |= names
    # A model that ignores other params says nothing about them.
    accepts_more = schema.get("additionalProperties", False) is not False
    return ParamsSchema(params, accepts_more, frozenset(secret), is_known=True)


def _root(schema: JsonSchemaValue) -> JsonSchemaValue:
    """Return the schema of a model's fields, which is a definition if the model contains itself."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    return {**schema["$defs"][reference.rpartition("/")[2]], "$defs": schema["$defs"]}


def _names(name: str, field: FieldInfo) -> set[str]:
    """Return all names under which a client may send a field of a model."""
    aliases = field.validation_alias
    choices = aliases.choices if isinstance(aliases, AliasChoices) else [aliases, field.alias]
    firsts = [choice.path[0] if isinstance(choice, AliasPath) else choice for choice in choices]
    return {name, *(first for first in firsts if isinstance(first, str))}


def _of_signature(task_class: type[BaseTask]) -> ParamsSchema:
    parameters = list(inspect.signature(task_class.execute).parameters.values())[2:]
    try:
        hints = get_type_hints(task_class.execute, include_extras=True)
        is_known = True
    except NameError:  # the annotations use names that only type checkers import
        hints, is_known = {}, False
    params, accepts_more = [], False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            accepts_more = True
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            params.append(_param(parameter, hints.get(parameter.name, Any)))
    secret = frozenset(param.name for param in params if param.is_secret)
    return ParamsSchema(tuple(params), accepts_more, secret, is_known)


def _param(parameter: inspect.Parameter, hint: Any) -> Param:
    schema: JsonSchemaValue = {}
    with suppress(PydanticUserError, TypeError, ValueError):  # a type that JSON does not have
        schema = TypeAdapter(hint).json_schema(schema_generator=_QuietSchema)
    definitions = schema.pop("$defs", {})
    is_required = parameter.default is parameter.empty
    if not is_required:
        with suppress(PydanticSerializationError, ValueError):
            schema["default"] = to_jsonable_python(parameter.default)
    return Param(parameter.name, schema, definitions, is_required)
