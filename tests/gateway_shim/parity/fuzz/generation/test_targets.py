"""Generated targets: paths, absolute URLs, up to nearly 16 KiB."""

from __future__ import annotations

from gateway_shim.parity.fuzz.generation import targets
from gateway_shim.parity.fuzz.generation.dice import Dice

_DICE = Dice("targets")
_STREAMS = [targets.stream(_DICE) for _ in range(3000)]


def test_a_target_of_a_stream_fits_into_a_head() -> None:
    """The longest are those that an older limit refused."""
    lengths = [len(target) for target in _STREAMS]
    assert max(lengths) < 16_000
    assert any(8181 <= length <= 8192 for length in lengths)


def test_no_target_of_a_stream_is_a_host_or_an_endpoint() -> None:
    """Two slashes at its front would be one to Node's URL parser."""
    assert not [t for t in _STREAMS if t.startswith(("//", "/healthz", "/readyz"))]
    assert {t.partition("/")[0].lower() for t in _STREAMS} == {"", "http:", "https:"}


def test_what_is_not_a_stream_is_generated_too() -> None:
    """An asterisk, and absolute URLs without a path or of an endpoint."""
    assert {"*", "http://", "http://h/healthz"} <= {targets.no_stream(_DICE) for _ in range(200)}
