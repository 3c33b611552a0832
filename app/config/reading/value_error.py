"""The errors of parsers, in the form in which pydantic takes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway_shim.errors import InvalidConfiguration

__all__ = ["as_value_error"]


@contextmanager
def as_value_error() -> Iterator[None]:
    """Let a parser of :mod:`gateway_shim` check a setting, inside a validator.

    Raises:
        ValueError: the parser raised InvalidConfiguration. pydantic adds the setting's name.
    """
    try:
        yield
    except InvalidConfiguration as exc:
        raise ValueError(str(exc)) from exc
