"""Tests of the limit on descriptors, and of the shares that it allows."""

from __future__ import annotations

import resource

import pytest

from gateway_shim.server.process import descriptors


class FakeResource:
    """A stand-in for the limits of a process."""

    RLIMIT_NOFILE = resource.RLIMIT_NOFILE

    def __init__(self, soft: int, hard: int) -> None:
        self.limits = soft, hard
        self.set: list[tuple[int, int]] = []

    def getrlimit(self, which: int) -> tuple[int, int]:
        """Return the limits."""
        assert which == self.RLIMIT_NOFILE
        return self.limits

    def setrlimit(self, which: int, limits: tuple[int, int]) -> None:
        """Set and record the limits."""
        assert which == self.RLIMIT_NOFILE
        self.limits = limits
        self.set.append(limits)


@pytest.mark.parametrize(
    ("soft", "hard", "expected"), [(1024, 4096, [(4096, 4096)]), (4096, 4096, [])]
)
def test_raise_limit(
    soft: int, hard: int, expected: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The soft limit is raised to the hard limit, once."""
    fake = FakeResource(soft, hard)
    monkeypatch.setattr(descriptors, "resource", fake)
    assert descriptors.raise_limit() == 4096
    assert descriptors.raise_limit() == 4096
    assert fake.set == expected


@pytest.mark.parametrize(
    ("limit", "requests", "streams"),
    [(1_048_576, 2000, 1_046_320), (65_536, 4000, 61_280), (4096, 2000, 2048), (10, 2000, 5)],
)
def test_streams_allowed(limit: int, requests: int, streams: int) -> None:
    """Descriptors are kept for other uses, but streams get at least half of them."""
    assert descriptors.streams_allowed(limit, requests) == streams


@pytest.mark.parametrize(
    ("limit", "streams", "requests"),
    [
        (1_048_576, 1_046_320, 2000),
        (1024, 512, 256),
        (300, 150, 75),
        (10, 5, 2),
        (10, 50, 0),
        (1024, 100, 668),
    ],
)
def test_requests_allowed(limit: int, streams: int, requests: int) -> None:
    """Requests get the remaining descriptors without the reserve, but at least half of them."""
    assert descriptors.requests_allowed(limit, streams) == requests
    assert streams + requests <= max(limit, streams)
