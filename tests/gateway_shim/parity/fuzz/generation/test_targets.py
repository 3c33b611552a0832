"""Generated targets."""

from __future__ import annotations

from gateway_shim.parity.fuzz.generation import targets
from gateway_shim.parity.fuzz.generation.dice import Dice

_DICE = Dice("targets")
_STREAMS = [targets.stream(_DICE) for _ in range(3000)]


def test_targets_of_streams_fit_into_a_head() -> None:
    """Targets fit into a head, and some exceed an older limit."""
    lengths = [len(target) for target in _STREAMS]
    assert max(lengths) < 16_000
    assert any(8181 <= length <= 8192 for length in lengths)


def test_no_target_of_a_stream_is_a_host_or_an_endpoint() -> None:
    """No target begins with two slashes, which Node's URL parser takes for a host."""
    assert not [t for t in _STREAMS if t.startswith(("//", "/healthz", "/readyz"))]
    assert {t.partition("/")[0].lower() for t in _STREAMS} == {"", "http:", "https:"}


def test_targets_of_other_endpoints_are_generated() -> None:
    """An asterisk and absolute URLs without a path or of an endpoint occur."""
    assert {"*", "http://", "http://h/healthz"} <= {targets.no_stream(_DICE) for _ in range(200)}
