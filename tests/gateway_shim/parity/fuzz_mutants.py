"""More faults of the shim, each where only generated cases look: ``python -m … NAME``.

They are started as those of :mod:`tests.gateway_shim.parity.mutants` are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gateway_shim.protocol import callbacks, json_text, stream_request
from gateway_shim.protocol.bodies import content_coding
from gateway_shim.protocol.callbacks import Action, CallbackAnswer, Reason
from gateway_shim.protocol.http import status_phrase
from tests.gateway_shim.parity import mutants

MUTANTS: dict[str, Callable[[], None]] = {}
"""Every fault by its name."""


def mutant(change: Callable[[], None]) -> Callable[[], None]:
    """Register a fault under its function's name."""
    MUTANTS[change.__name__] = change
    return change


@mutant
def long_target_cut() -> None:
    """The backend is told the first 8,000 characters of a target."""
    payload = callbacks.payload

    def cut(action: Action, token: str, request: Any, reason: Reason | None = None) -> Any:
        return payload(action, token, {**request, "url": request["url"][:8000]}, reason)

    callbacks.payload = cut


@mutant
def hundred_headers() -> None:
    """The backend is told the first hundred headers."""
    join = stream_request.join_headers

    def some(pairs: Iterable[tuple[str, str]]) -> Any:
        return join(list(pairs)[:100])

    stream_request.join_headers = some  # type: ignore[assignment]
    from gateway_shim.server.requests import request as server_request

    server_request.stream_request.join_headers = some  # type: ignore[attr-defined]


@mutant
def coding_by_its_letters() -> None:
    """A Content-Encoding in capitals is unknown."""
    decode = content_coding.decode

    def strict(coding: str | None, body: bytes, limit: int) -> bytes:
        if coding is not None and coding != coding.lower():
            raise content_coding.UnknownCoding("unknown")
        return decode(coding, body, limit)

    content_coding.decode = strict


@mutant
def depth_limit() -> None:
    """JSON that is nested more than 950 deep is taken for a text."""
    is_json = json_text.is_json
    json_text.is_json = lambda text: text.count("[") < 950 and is_json(text)


@mutant
def standard_phrase() -> None:
    """A rejection says the standard phrase instead of the backend's."""
    CallbackAnswer.message = property(  # type: ignore[assignment,method-assign]
        lambda self: status_phrase(self.status)
    )


def main() -> None:
    """Run the shim with the fault that the first argument names."""
    mutants.MUTANTS.update(MUTANTS)
    mutants.main()


if __name__ == "__main__":
    main()
