"""What many of the gateway's tests start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway_shim.streams.rig import Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A started gateway with the default settings."""
    with Rig() as rig:
        yield rig
