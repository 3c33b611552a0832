"""The figures of the section stalled-cost, from the CPU time of a process that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

import pytest

from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.measured import process_figures
from app.bench.measured.backend import MeasuredBackend
from app.bench.plan import quick
from app.bench.results.figures import Results
from app.bench.sections import stalled_cost

PLAN = quick(20, 5)
STALL = stalled_cost._stall


class Clients(Helper):
    """Clients that read every event one second after it was sent."""

    def __init__(self) -> None:
        pass

    def begin(self, command: str, **arguments: Any) -> None:
        """Do nothing."""

    def finish(self) -> Any:
        """Return what the clients have seen."""
        return {"first_ns": 0, "last_ns": 10**9, "cpu_seconds": 0.5}

    def call(self, command: str, **arguments: Any) -> Any:
        """Return the time of opening streams."""
        return {"seconds": 1.0}


class Backend(MeasuredBackend):
    """A backend whose clients stall at once, and whose bursts each use some ticks of CPU time.

    Attributes:
        used: the ticks that it has used so far.
        each: the ticks that the next bursts use.
    """

    used = 0
    each = 0

    def __init__(self) -> None:
        self.port = 0

    @property
    def worker(self) -> int:
        """Any PID."""
        return 1

    def start_burst(self, events: int, *, pause: float = 0.0, result_bytes: int = 0) -> str:
        """Use CPU time."""
        Backend.used += Backend.each
        return "t1"

    def burst_result(self, task_id: str) -> dict[str, Any]:
        """Return the result of the task."""
        return {"started_ns": 0}

    def metric(self, name: str) -> float:
        """Return so much that all clients have stalled."""
        return 1e9


class ProcFile(PurePosixPath):
    """A file of the backend's process."""

    def read_text(self) -> str:
        """Return the CPU time, half of it in the kernel, or the memory."""
        if self.name == "stat":
            return f"1 (x) {'0 ' * 11}{Backend.used // 2} {Backend.used - Backend.used // 2}"
        return "RssAnon:  1 kB"


def figures(monkeypatch: pytest.MonkeyPatch, used: int, stalled: int, stalled_off: int) -> Any:
    """Return the values of the CPU figures.

    Args:
        monkeypatch: replaces the servers.
        used: the ticks that the process used before.
        stalled: the ticks by which a burst uses more when clients have stalled.
        stalled_off: the same without the log.
    """
    monkeypatch.setattr(process_figures, "Path", ProcFile)

    @contextmanager
    def servers(**settings: str) -> Iterator[tuple[Backend, Clients, Clients]]:
        Backend.used, Backend.each = used, 2
        yield Backend(), Clients(), Clients()

    def stall_and_use_more(server: Backend, reader: Helper, streams: int, has_log: bool) -> None:
        STALL(server, reader, streams, has_log)
        Backend.each += stalled if has_log else stalled_off

    monkeypatch.setattr(stalled_cost, "_servers", servers)
    monkeypatch.setattr(stalled_cost, "_stall", stall_and_use_more)
    results = Results(judged=False)
    stalled_cost.measure(BenchContext(PLAN, results, lambda _: None))
    keys = ("stalled_cpu_ns", "stalled_off_cpu_ns", "stalled_cpu_to_off")
    return tuple(map(results.value, keys))


@pytest.mark.parametrize("used", range(84, 112))
def test_a_difference_of_no_tick_is_zero(monkeypatch: pytest.MonkeyPatch, used: int) -> None:
    """Bursts of the same CPU time cost nothing more, and nothing is compared with that.

    In seconds, some of these differences were 1e-17 and not 0, and the ratio was 1e13.
    """
    assert figures(monkeypatch, used, 1, 0) == (1e7 / (PLAN.deliveries // 50 * 20), 0, 0)
    assert figures(monkeypatch, used, 0, 0) == (0, 0, 0)


def test_a_difference_of_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each tick counts, for each event and each stalled client."""
    cpu_ns = 2e7 / (PLAN.deliveries // 50 * 20)
    off_ns = 5e7 / (100 * 4)
    assert figures(monkeypatch, 100, 2, 5) == (cpu_ns, off_ns, cpu_ns / off_ns)
