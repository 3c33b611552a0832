"""Objects and exceptions that raise an error when a caller asks for their text or their class."""

from __future__ import annotations

import os
from typing import Any

__all__ = ["HidesClass", "Nameless", "Unshowable", "raising_str"]


class _RefusesItsName(type):
    """A metaclass whose classes raise an error when a caller reads one of their names."""

    def __getattribute__(cls, name: str) -> Any:
        """Raise an error for the names, and return other attributes."""
        if name in ("__name__", "__qualname__", "__module__"):
            raise ZeroDivisionError
        return super().__getattribute__(name)


class Nameless(Exception, metaclass=_RefusesItsName):
    """An exception whose class raises an error when a caller reads its name."""


class Unshowable(Exception):
    """An exception whose ``str`` and ``repr`` raise an error."""

    def __str__(self) -> str:
        """Raise an error."""
        raise ZeroDivisionError

    __repr__ = __str__


class HidesClass(Exception):
    """An exception that breaks ``isinstance``, because its ``__class__`` raises an error.

    The error is raised only during the test that has created the exception, because other tests
    inspect all objects that are still in memory.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self._test = os.environ.get("PYTEST_CURRENT_TEST")

    @property
    def __class__(self) -> type:  # type: ignore[misc]
        """The class, or an error during the test that has created this exception."""
        if self._test == os.environ.get("PYTEST_CURRENT_TEST"):
            raise ZeroDivisionError
        return type(self)


def raising_str(kind: type[BaseException]) -> Exception:
    """Return an exception whose ``__str__`` raises an exception of this kind."""

    class Raising(Exception):
        def __str__(self) -> str:
            raise kind

        __repr__ = __str__

    return Raising()
