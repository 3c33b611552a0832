"""Tests of the header that identifies the start of a backend."""

from __future__ import annotations

import uuid

import pytest

from gateway_shim.protocol.backend_start import Boot, parse_boot

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def test_round_trip() -> None:
    """A gateway reads the header that a backend writes; the same text returns the same object."""
    boot = Boot(1_795_000_000_000, str(uuid.uuid4()))
    assert parse_boot(str(boot)) == boot
    assert parse_boot(str(boot)) is parse_boot(str(boot))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1795000000000",
        f"-{ID}",
        f"-1-{ID}",
        f"+1-{ID}",
        f"1.5-{ID}",
        f"{'9' * 17}-{ID}",
        f"\u0661-{ID}",
        f"1-{ID.upper()}",
        f"1-{ID}0",
        f"1-{ID}\n",
        f"1-{ID}, 2-{ID}",
        "1-" + "a" * 100_000,
    ],
)
def test_malformed(text: str) -> None:
    """A malformed or repeated header returns None."""
    assert parse_boot(text) is None
