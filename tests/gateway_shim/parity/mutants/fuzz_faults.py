"""Deliberate faults that only generated cases can show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway_shim.protocol import callbacks, json_text, stream_request
from gateway_shim.protocol.bodies import content_coding
from gateway_shim.protocol.callbacks import Action, CallbackAnswer, Reason
from gateway_shim.protocol.http import status_phrase
from tests.gateway_shim.parity.mutants.fault_registry import FaultRegistry

__all__ = ["FAULTS"]

FAULTS = FaultRegistry()
"""The faults for the fuzzer, by name."""


@FAULTS.add
def long_target_cut() -> None:
    """Send the backend only the first 8,000 characters of a target."""
    payload = callbacks.payload

    def cut(action: Action, token: str, request: Any, reason: Reason | None = None) -> Any:
        return payload(action, token, {**request, "url": request["url"][:8000]}, reason)

    callbacks.payload = cut


@FAULTS.add
def hundred_headers() -> None:
    """Send the backend only the first hundred headers."""
    join = stream_request.join_headers

    def some(pairs: Iterable[tuple[str, str]]) -> Any:
        return join(list(pairs)[:100])

    stream_request.join_headers = some
    from gateway_shim.server.requests import request as server_request

    server_request.stream_request.join_headers = some  # type: ignore[attr-defined]


@FAULTS.add
def coding_by_its_letters() -> None:
    """Refuse a Content-Encoding in capitals."""
    decode = content_coding.decode

    def strict(coding: str | None, body: bytes, limit: int) -> bytes:
        if coding is not None and coding != coding.lower():
            raise content_coding.UnknownCoding("unknown")
        return decode(coding, body, limit)

    content_coding.decode = strict


@FAULTS.add
def depth_limit() -> None:
    """Take JSON that is nested more than 950 levels deep for text."""
    is_json = json_text.is_json
    json_text.is_json = lambda text: text.count("[") < 950 and is_json(text)


@FAULTS.add
def standard_phrase() -> None:
    """Send a rejected client the standard phrase instead of the backend's phrase."""
    CallbackAnswer.message = property(  # type: ignore[assignment,method-assign]
        lambda self: status_phrase(self.status)
    )
