"""One root; data on the exception; a message that stands alone."""

from __future__ import annotations

import pytest

from gateway_shim import errors
from gateway_shim.errors import (
    BadSend,
    GatewayError,
    InvalidTransition,
    UnknownToken,
    WriteFailed,
)
from gateway_shim.protocol.lifecycle import StreamEvent, StreamState


@pytest.mark.parametrize("name", errors.__all__)
def test_one_root(name: str) -> None:
    """Whoever catches GatewayError catches all that this package raises on purpose."""
    assert issubclass(getattr(errors, name), GatewayError)


def test_bad_send() -> None:
    """A refused send carries what its sender is told."""
    error = BadSend(413, "TOO_LARGE", "too large")
    assert (error.status, error.code, error.message) == (413, "TOO_LARGE", "too large")
    assert str(error) == "too large"


def test_invalid_transition() -> None:
    """A misuse names the state and the event."""
    error = InvalidTransition(StreamState.OPEN, StreamEvent.ACCEPT)
    assert (error.state, error.event) == (StreamState.OPEN, StreamEvent.ACCEPT)
    assert str(error) == ("a stream that is StreamState.OPEN cannot take StreamEvent.ACCEPT")


def test_tokens() -> None:
    """Errors about a stream name its token."""
    assert UnknownToken("t").token == "t"
    assert str(UnknownToken("t")) == "no stream has the token t"
    assert WriteFailed("t").token == "t"
    assert str(WriteFailed("t")) == "the stream with the token t could not be written to"
