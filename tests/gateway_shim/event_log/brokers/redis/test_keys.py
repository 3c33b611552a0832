"""Tests of the names of the keys."""

from __future__ import annotations

import pytest

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.event_log.brokers.redis.keys import Keys


def test_keys_lie_in_one_slot() -> None:
    """All keys have the same hash tag, the text between braces."""
    keys = Keys("app:staging")
    assert keys.meta == "{app:staging}:meta"
    assert keys.processes == "{app:staging}:processes"
    assert keys.stream("e1") == "{app:staging}:stream:e1"
    assert keys.parcel("00") == "{app:staging}:parcel:00"


@pytest.mark.parametrize("prefix", ["", "a b", "a{b", "a}b", "a\n", "ä", "a" * 65, "*"])
def test_prefixes_that_cannot_be_used(prefix: str) -> None:
    """Braces would move the hash tag, and patterns would match other keys in a user's rights."""
    with pytest.raises(InvalidConfiguration, match="use 1 to 64 letters"):
        Keys(prefix)
