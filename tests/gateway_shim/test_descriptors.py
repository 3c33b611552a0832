"""gateway_shim.descriptors: the limit on descriptors, and what it allows."""

from __future__ import annotations

import resource

import pytest

from gateway_shim import descriptors


class FakeResource:
    """The limits of a process that is not this one."""

    RLIMIT_NOFILE = resource.RLIMIT_NOFILE

    def __init__(self, soft: int, hard: int) -> None:
        self.limits = soft, hard
        self.set: list[tuple[int, int]] = []

    def getrlimit(self, which: int) -> tuple[int, int]:
        """The limits."""
        assert which == self.RLIMIT_NOFILE
        return self.limits

    def setrlimit(self, which: int, limits: tuple[int, int]) -> None:
        """Set them."""
        assert which == self.RLIMIT_NOFILE
        self.limits = limits
        self.set.append(limits)


@pytest.mark.parametrize(
    ("soft", "hard", "expected"), [(1024, 4096, [(4096, 4096)]), (4096, 4096, [])]
)
def test_raise_limit(
    soft: int, hard: int, expected: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The soft limit is raised to the hard one, once."""
    fake = FakeResource(soft, hard)
    monkeypatch.setattr(descriptors, "resource", fake)
    assert descriptors.raise_limit() == 4096
    assert descriptors.raise_limit() == 4096
    assert fake.set == expected


@pytest.mark.parametrize(
    ("limit", "streams"), [(1_048_576, 1_048_320), (1024, 768), (512, 256), (256, 128), (10, 5)]
)
def test_streams_allowed(limit: int, streams: int) -> None:
    """Some descriptors are kept for everything else, half of them if there are few."""
    assert descriptors.streams_allowed(limit) == streams


@pytest.mark.parametrize(
    ("limit", "streams", "idle"),
    [(65_536, 0, 65_280), (65_536, 60_000, 5_280), (1024, 768, 128), (300, 150, 75), (10, 0, 5)],
)
def test_idle_allowed(limit: int, streams: int, idle: int) -> None:
    """Idle connections may use what streams leave, and half of what is kept for the rest."""
    assert descriptors.idle_allowed(limit, streams) == idle
