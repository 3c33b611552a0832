"""Tests of texts of objects whose methods fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway_shim.log_lines.safe_text import class_name, describe, function_name, text_of
from tests.support.hostile_objects import HidesClass, Nameless, Unshowable, raising_str


class Shouting(str):
    """A string whose methods fail."""

    def __str__(self) -> str:
        """Return the instance itself, which ``str`` accepts."""
        return self

    def __getitem__(self, key: object) -> Any:
        """Raise an error."""
        raise RuntimeError


def test_ordinary_values_are_shown_as_str_shows_them() -> None:
    """An ordinary value has the text that ``str`` returns."""
    assert text_of(5) == "5"
    assert class_name([]) == "list"
    assert describe(ValueError("no")) == "ValueError: no"
    assert describe(ValueError()) == "ValueError"


@pytest.mark.parametrize(
    ("make", "name", "text"),
    [
        (lambda: Nameless("n"), "Nameless", "n"),
        (lambda: HidesClass("h"), "HidesClass", "h"),
        (Unshowable, "Unshowable", "<Unshowable that cannot be shown: ZeroDivisionError>"),
        (lambda: raising_str(SystemExit), "Raising", "<Raising that cannot be shown: SystemExit>"),
        (lambda: raising_str(Nameless), "Raising", "<Raising that cannot be shown: Nameless>"),
    ],
)
def test_hostile_exceptions_are_described(
    make: Callable[[], BaseException], name: str, text: str
) -> None:
    """A hostile exception is described by its class's real name and by its error."""
    exc = make()
    assert class_name(exc) == name
    assert text_of(exc) == text
    assert describe(exc) == f"{name}: {text}"


def test_a_str_that_returns_no_string() -> None:
    """A ``__str__`` that returns no string is described by the TypeError of ``str()``."""

    class Wrong:
        def __str__(self) -> str:
            return 5  # type: ignore[return-value]

    assert text_of(Wrong()) == "<Wrong that cannot be shown: TypeError>"


def test_an_integer_of_too_many_digits() -> None:
    """An integer of too many digits is written in hexadecimal."""
    assert int(text_of(10**5000), 16) == 10**5000
    assert text_of(-(10**5000)).startswith("-0x")


def test_functions_are_named() -> None:
    """A callable is named by its qualified name or by its text, whatever the object does."""
    assert function_name(test_functions_are_named) == "test_functions_are_named"
    assert function_name(5) == "5"
    assert function_name(Unshowable()).startswith("<Unshowable that cannot be shown")


def test_the_text_is_an_exact_str() -> None:
    """The text is an exact ``str``, not an instance of a subclass."""
    text = text_of(Shouting("loud"))
    assert (type(text), text[0]) == (str, "l")
