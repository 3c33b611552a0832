"""The context of steps: its patience."""

from __future__ import annotations

from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.play.stub_backend import StubBackend


def test_patience_runs_out() -> None:
    """Each wait in vain halves the patience, down to half a second."""
    backend = StubBackend()
    context = PlayContext("127.0.0.1", 1, backend, None, patience=1.5)
    given: list[float] = []
    answers = [True, False, False, False]

    def happens(seconds: float) -> bool:
        given.append(seconds)
        return answers.pop(0)

    while answers:
        context.wait(happens)
    backend.stop()
    assert (given, context.patience) == ([1.5, 1.5, 0.75, 0.5], 0.5)
