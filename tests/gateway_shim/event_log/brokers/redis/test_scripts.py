"""Tests of the scripts: the parts that tests of the stream do not see."""

from __future__ import annotations

import hashlib

import pytest

from gateway_shim.event_log.brokers.redis import scripts
from gateway_shim.event_log.brokers.redis.scripts import Script


def test_the_name_of_a_script() -> None:
    """Redis knows a script by the SHA-1 of its text."""
    assert Script("return 1").sha == hashlib.sha1(b"return 1").hexdigest()


@pytest.mark.parametrize("name", ["APPEND", "BEGIN", "LOOK", "PULSE", "SWEEP"])
def test_scripts_name_no_key(name: str) -> None:
    """In a cluster a script may only use the keys that it is given."""
    text = getattr(scripts, name).text
    for line in text.splitlines():
        if "call(" in line and "'TIME'" not in line:
            assert "KEYS[" in line, line
