"""The context of steps: patience, and the state that each scenario begins with."""

from __future__ import annotations

from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.play.stub_backend import StubBackend


def test_patience_runs_out() -> None:
    """What keeps us waiting for nothing gets half the time afterwards, down to a least."""
    backend = StubBackend()
    context = PlayContext("127.0.0.1", 1, backend, None, patience=1.5)
    given: list[float] = []
    for answer in (True, False, False, False):
        context.wait(lambda seconds, answer=answer: given.append(seconds) or answer)  # type: ignore[misc]
    backend.stop()
    assert (given, context.patience) == ([1.5, 1.5, 0.75, 0.5], 0.5)
