"""Returns the text of any object. No function raises an error, whatever an object's class does.

An exception comes from a task, a hook or a library. Its ``__str__`` can raise an error, and so can
its metaclass when ``__name__`` is read. Code that reports a failure must not fail because of that.
"""

from __future__ import annotations

from typing import Any

__all__ = ["class_name", "describe", "function_name", "not_shown", "text_of"]

# Reads the name from the class itself. cls.__name__ would call the metaclass first.
_read_name: Any = type.__dict__["__name__"].__get__


def class_name(value: object) -> str:
    """Return the name of a value's class, even if its metaclass hides the name."""
    name: str = _read_name(type(value))
    return name


def text_of(value: object) -> str:
    """Return ``str(value)`` as an exact ``str``.

    Returns:
        The text. An integer with too many digits for ``str`` is returned in hexadecimal. If ``str``
        raises another error, the text names the class of the object and the class of the error.
    """
    try:
        # str() may return an instance of a subclass, whose methods could raise an error again.
        return str.__str__(str(value))
    except BaseException as exc:  # noqa: BLE001 - __str__ can raise even SystemExit
        if issubclass(type(value), int):
            return hex(int.__int__(value))  # type: ignore[arg-type]  # an int by its class
        return not_shown(value, exc)


def function_name(function: object) -> str:
    """Return the qualified name of a function, or the text of a callable without a name."""
    try:
        name = getattr(function, "__qualname__", None)
    except BaseException:  # noqa: BLE001 - as in text_of
        name = None
    return text_of(function if name is None else name)


def not_shown(value: object, exc: BaseException) -> str:
    """Return the text in place of a value that could not be shown because of ``exc``."""
    return f"<{class_name(value)} that cannot be shown: {class_name(exc)}>"


def describe(exc: BaseException) -> str:
    """Return ``ClassName: message`` for an exception; only ``ClassName`` without a message."""
    name, message = class_name(exc), text_of(exc)
    return f"{name}: {message}" if message else name
