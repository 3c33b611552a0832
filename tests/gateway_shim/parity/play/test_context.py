"""The context of steps: its patience."""

from __future__ import annotations

import pytest

from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.play.stub_backend import StubBackend


@pytest.mark.parametrize(
    ("patience", "happen", "given"),
    [
        (1.5, (True, False, False, False, False), [1.5, 1.5, 0.75, 0.5, 0.5]),
        (1.5, (False, False, True, True, True), [1.5, 0.75, 0.5, 1.0, 1.5]),
        (0.1, (False, True), [0.1, 0.1]),
    ],
)
def test_patience(patience: float, happen: tuple[bool, ...], given: list[float]) -> None:
    """Each wait in vain halves the patience, down to half a second; the others double it."""
    backend = StubBackend()
    context = PlayContext("127.0.0.1", 1, backend, None, patience)
    seen: list[float] = []
    outcomes = list(happen)

    def happens(seconds: float) -> bool:
        seen.append(seconds)
        return outcomes.pop(0)

    assert tuple(context.wait(happens) for _ in happen) == happen
    backend.stop()
    assert seen == given
