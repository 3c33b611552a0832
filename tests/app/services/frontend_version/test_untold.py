"""UntoldVersions: what other processes could not be told is told later."""

from __future__ import annotations

import pytest

from app.services.frontend_version import untold as untold_module
from app.services.frontend_version.untold import UntoldVersions
from tests.support.timing import wait_until


class Bus:
    """The way to other processes, as the test wants it."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.is_ready = self.takes = False
        self.looks = 0
        self.untold = UntoldVersions(self.tell, self.can_tell, 3)

    def tell(self, request_id: str) -> bool:
        """Tell a version."""
        assert request_id != "broken"
        if self.takes:
            self.told.append(request_id)
        return self.takes

    def can_tell(self) -> bool:
        """Return whether the bus seems to be ready."""
        self.looks += 1
        return self.is_ready

    def look(self) -> None:
        """Wait until the greenlet has looked once more, and has done what follows from it."""
        before = self.looks
        wait_until(lambda: self.looks > before + 1, "two looks")


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Bus:
    """Return a bus that is away."""
    monkeypatch.setattr(untold_module, "PAUSE_SECONDS", 0.001)
    return Bus()


def test_they_are_told_when_the_bus_is_back(bus: Bus) -> None:
    """Each is told once, in order, also if the bus seems to be ready too early."""
    for name in "aba":
        bus.untold.add(name)
    bus.look()
    bus.is_ready = True
    bus.look()
    assert bus.told == []
    bus.takes = True
    wait_until(lambda: bus.untold._teller is None, "the end")
    assert bus.told == ["b", "a"]
    bus.untold.add("c")
    wait_until(lambda: bus.told == ["b", "a", "c"], "the next version")


def test_the_oldest_is_dropped(bus: Bus) -> None:
    """No more are kept than the limit allows, and none that was told meanwhile."""
    for name in "abcd":
        bus.untold.add(name)
    bus.untold.discard("c")
    bus.untold.discard("unknown")
    bus.is_ready = bus.takes = True
    wait_until(lambda: bus.untold._teller is None, "the end")
    assert bus.told == ["b", "d"]


def test_a_mistake(bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the other versions are told."""
    bus.untold.add("broken")
    bus.untold.add("a")
    bus.is_ready = bus.takes = True
    wait_until(lambda: bus.told == ["a"], "the other version")
    assert "a version could not be told to other processes" in caplog.text
