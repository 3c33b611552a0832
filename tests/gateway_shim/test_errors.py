"""Tests of the errors: one root, data on the exception, a message that stands alone."""

from __future__ import annotations

import re

import pytest

from gateway_shim import errors
from gateway_shim.errors import (
    BadSend,
    GatewayError,
    InvalidTransition,
    TransferEnded,
    UnknownToken,
    WriteFailed,
)
from gateway_shim.protocol.lifecycle import StreamEvent, StreamState


@pytest.mark.parametrize("name", errors.__all__)
def test_one_root(name: str) -> None:
    """Every error of the package is a GatewayError."""
    assert issubclass(getattr(errors, name), GatewayError)


def test_tree() -> None:
    """The tree in the module's docstring is the tree of the classes."""
    drawn = re.findall(r"^ {4}([│ ]*)[├└]── (\w+)", errors.__doc__ or "", re.MULTILINE)
    bases = ["GatewayError"]
    pairs = []
    for indent, name in drawn:
        depth = len(indent) // 4 + 1
        del bases[depth:]
        pairs.append((name, bases[-1]))
        bases.append(name)
    classes = [getattr(errors, name) for name in errors.__all__ if name != "GatewayError"]
    assert sorted(pairs) == sorted((cls.__name__, cls.__bases__[0].__name__) for cls in classes)


def test_bad_send() -> None:
    """A refused send has the status, the code and the message for its sender."""
    error = BadSend(413, "TOO_LARGE", "too large")
    assert (error.status, error.code, error.message) == (413, "TOO_LARGE", "too large")
    assert str(error) == "too large"


def test_invalid_transition() -> None:
    """An invalid transition names the state and the event."""
    error = InvalidTransition(StreamState.OPEN, StreamEvent.ACCEPT)
    assert (error.state, error.event) == (StreamState.OPEN, StreamEvent.ACCEPT)
    assert str(error) == (
        "a stream in the state StreamState.OPEN does not allow the event StreamEvent.ACCEPT"
    )


def test_tokens() -> None:
    """An error about a stream names the stream's token."""
    assert UnknownToken("t").token == "t"
    assert str(UnknownToken("t")) == "no stream has the token t"
    assert WriteFailed("t").token == "t"
    assert str(WriteFailed("t")) == "the stream with the token t could not be written to"


def test_transfer_ended() -> None:
    """A transfer that was ended says if it made room for others."""
    assert str(TransferEnded(made_room=True)) == "the transfer was ended to make room for others"
    assert str(TransferEnded(made_room=False)) == "the transfer has taken too long"
