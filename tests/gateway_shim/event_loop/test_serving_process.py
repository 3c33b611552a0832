"""The set-up of a serving process."""

from __future__ import annotations

import asyncio
import os
import subprocess

import pytest

from gateway_shim.errors import NotAllowedHere
from gateway_shim.event_loop.serving_process import prepare_serving_process
from tests.support.native_threads import run_native


def test_all_of_it_is_set_up() -> None:
    """One call sets everything up, and a second call changes nothing."""
    prepare_serving_process()
    assert run_native(lambda: subprocess.call(["sh", "-c", "exit 3"])) == [3]
    assert subprocess.call(["sh", "-c", "exit 3"]) == 3
    with pytest.raises(NotAllowedHere):
        os.fork()
    with pytest.raises(NotAllowedHere):
        asyncio.Runner().get_loop()
