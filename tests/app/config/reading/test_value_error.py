"""Tests of the errors of parsers in validators."""

from __future__ import annotations

import pytest

from app.config.reading.value_error import as_value_error
from gateway_shim.errors import InvalidConfiguration


def test_a_refused_setting() -> None:
    """The message of the parser is kept, and so is its error as the cause."""
    refusal = InvalidConfiguration("use another one")
    with pytest.raises(ValueError, match=r"^use another one$") as raised, as_value_error():
        raise refusal
    assert raised.value.__cause__ is refusal


def test_another_error() -> None:
    """An error that is no refusal stays what it is."""
    with pytest.raises(KeyError), as_value_error():
        raise KeyError
