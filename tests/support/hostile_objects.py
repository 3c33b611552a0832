"""Objects and exceptions whose own methods fail when somebody wants to show them."""

from __future__ import annotations

import os
from typing import Any

__all__ = ["HidesClass", "Nameless", "Unshowable", "raising_str"]


class _RefusesItsName(type):
    """A metaclass whose classes raise when they are asked for any of their names."""

    def __getattribute__(cls, name: str) -> Any:
        """Fail for the names."""
        if name in ("__name__", "__qualname__", "__module__"):
            raise ZeroDivisionError
        return super().__getattribute__(name)


class Nameless(Exception, metaclass=_RefusesItsName):
    """An exception whose class refuses to say its name."""


class Unshowable(Exception):
    """An exception whose text cannot be had."""

    def __str__(self) -> str:
        """Fail."""
        raise ZeroDivisionError

    __repr__ = __str__


class HidesClass(Exception):
    """An exception that breaks ``isinstance``, which asks for ``__class__``.

    It does so only during the test that has made it: other tests go through all objects that
    are still in memory.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self._test = os.environ.get("PYTEST_CURRENT_TEST")

    @property
    def __class__(self) -> type:  # type: ignore[override]
        """Fail."""
        if self._test == os.environ.get("PYTEST_CURRENT_TEST"):
            raise ZeroDivisionError
        return type(self)


def raising_str(kind: type[BaseException]) -> Exception:
    """Return an exception whose ``__str__`` raises that kind of exception."""

    class Raising(Exception):
        def __str__(self) -> str:
            raise kind

        __repr__ = __str__

    return Raising()
