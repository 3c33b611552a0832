"""Objects and exceptions whose own methods fail when somebody wants to show them."""

from __future__ import annotations

from typing import Any, NoReturn

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
    """An exception that breaks ``isinstance``, which asks for ``__class__``."""

    @property
    def __class__(self) -> NoReturn:  # type: ignore[override]
        """Fail."""
        raise ZeroDivisionError


def raising_str(kind: type[BaseException]) -> Exception:
    """Return an exception whose ``__str__`` raises that kind of exception."""

    class Raising(Exception):
        def __str__(self) -> str:
            raise kind

        __repr__ = __str__

    return Raising()
