"""Texts of foreign objects. Nothing here raises, whatever an object's class does.

An exception comes from a task, a hook or a library. Its ``__str__`` can raise, and its metaclass
can raise when it is asked for ``__name__``. Code that reports a failure must not fail for that.
"""

from __future__ import annotations

from typing import Any

__all__ = ["class_name", "describe", "function_name", "not_shown", "text_of"]

# Reads the name from the class itself: cls.__name__ would ask the metaclass first.
_read_name: Any = type.__dict__["__name__"].__get__


def class_name(value: object) -> str:
    """Return the name of a value's class, even if the metaclass refuses to tell it."""
    name: str = _read_name(type(value))
    return name


def text_of(value: object) -> str:
    """Return ``str(value)`` as an exact ``str``.

    Returns:
        The text. An integer of more digits than ``str`` converts is written in hexadecimal. What
        has no text otherwise is described by its class's name and by what ``str`` raised.
    """
    try:
        # str() may return an instance of a subclass, whose methods are foreign code again.
        return str.__str__(str(value))
    except BaseException as exc:  # noqa: BLE001 - not even a SystemExit of a __str__ may pass
        if issubclass(type(value), int):
            return hex(int.__int__(value))  # type: ignore[arg-type]
        return not_shown(value, exc)


def function_name(function: object) -> str:
    """Return the qualified name of a function, or the text of a callable that has none."""
    try:
        name = getattr(function, "__qualname__", None)
    except BaseException:  # noqa: BLE001 - as in text_of
        name = None
    return text_of(function if name is None else name)


def not_shown(value: object, exc: BaseException) -> str:
    """Return the text that stands for a value that could not be shown because of ``exc``."""
    return f"<{class_name(value)} that cannot be shown: {class_name(exc)}>"


def describe(exc: BaseException) -> str:
    """Return ``ClassName: message`` for an exception, or only its class's name if it has none."""
    name, message = class_name(exc), text_of(exc)
    return f"{name}: {message}" if message else name
