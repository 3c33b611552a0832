"""The results of a send and of a broadcast."""

from __future__ import annotations

from gateway_shim.protocol import results
from gateway_shim.protocol.results import SendStatus
from gateway_shim.streams import gateway


def test_words_of_the_contract() -> None:
    """The values of SendStatus are those that ``POST /internal/send`` answers."""
    assert [status.value for status in SendStatus] == ["ok", "buffered"]


def test_also_in_the_gateways_module() -> None:
    """The gateway's module exports the results, too."""
    assert gateway.SendStatus is results.SendStatus
    assert gateway.BroadcastResult is results.BroadcastResult
    assert gateway.OpenResult is results.OpenResult
