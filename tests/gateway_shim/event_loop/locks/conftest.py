"""The lock that the tests of this folder share."""

from __future__ import annotations

import pytest

from gateway_shim.event_loop.locks.shared_lock import SharedLock


@pytest.fixture
def lock() -> SharedLock:
    """Return the lock under test."""
    return SharedLock()
