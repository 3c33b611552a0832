"""The words for what became of a send."""

from __future__ import annotations

from gateway_shim.protocol import results
from gateway_shim.protocol.results import SendStatus
from gateway_shim.streams import gateway


def test_words_of_the_contract() -> None:
    """They are what ``POST /internal/send`` answers."""
    assert [status.value for status in SendStatus] == ["ok", "buffered"]


def test_where_they_were() -> None:
    """The gateway's module still has both."""
    assert gateway.SendStatus is results.SendStatus
    assert gateway.BroadcastResult is results.BroadcastResult
