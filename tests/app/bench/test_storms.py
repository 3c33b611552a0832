"""Storms of clients, with servers and clients that are not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.bench import storms
from app.bench.bursts import Site
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.errors import BenchFailed
from app.bench.measured.backend import MeasuredBackend
from app.bench.plan import quick
from app.bench.results.figures import Results
from app.bench.storms import measure_storms, run_storm

PLAN = replace(quick(20, 5), resume_rounds=2)


class Backend(MeasuredBackend):
    """A backend that has no streams but that of one client.

    Args:
        name: the name in the steps.
        steps: receives what is done.
    """

    def __init__(self, name: str, steps: list[str]) -> None:
        self.name = name
        self.steps = steps
        self.port = ord(name)

    @property
    def worker(self) -> int:
        """Any PID."""
        return 1

    def metric(self, name: str) -> float:
        """Return the number of streams."""
        return 1

    def start_burst(self, events: int, *, pause: float = 0.0, result_bytes: int = 0) -> str:
        """Note who publishes."""
        self.steps.append(f"{self.name} sends {events}")
        return "t1"

    def burst_result(self, task_id: str) -> dict[str, Any]:
        """Return the result of the task."""
        return {"started_ns": 0}


class Clients(Helper):
    """Clients that get what is sent, and note what they are told to do.

    Args:
        name: the name in the steps.
        steps: receives what is done.
        fewest_ids: the events that the client with the fewest has got before its version event.
    """

    def __init__(self, name: str, steps: list[str], fewest_ids: int = PLAN.missed_events) -> None:
        self.name = name
        self.steps = steps
        self.fewest_ids = fewest_ids
        self.seconds = 0.0

    def begin(self, command: str, **arguments: Any) -> None:
        """Note the command."""
        where = {"read": arguments.get("frames"), "open": chr(arguments.get("port", 0))}
        resumes = " with cursors" if arguments.get("resume") else ""
        self.steps.append(f"{self.name} {command} {where.get(command, '')}{resumes}".strip())
        self.seconds = 3.0 if resumes else 2.0

    def finish(self) -> Any:
        """Return an answer to any command."""
        return {
            "first_ns": 0,
            "last_ns": 10**9,
            "cpu_seconds": 0.5,
            "started_ns": 10**9,
            "seconds": self.seconds,
            "fewest_ids": self.fewest_ids,
            # One event before the clients connect, one meanwhile, and one after that.
            "sent_ns": [9 * 10**8, 2 * 10**9, 9 * 10**9],
            "latencies_ns": [10**6, 2 * 10**6, 3 * 10**6],
        }


@pytest.fixture(autouse=True)
def _cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each look at the CPU time show 20 ms more."""
    times = iter(range(0, 10**12, 20 * 10**6))
    monkeypatch.setattr(storms, "cpu_nanoseconds", lambda pid: next(times))


def two_sites(steps: list[str]) -> list[Site]:
    """Return two backends, a and b, each with one client."""
    return [Site(Backend(name, steps), Clients(f"{name}'s", steps)) for name in "ab"]


def context() -> BenchContext:
    """Return a context without a user."""
    return BenchContext(PLAN, Results(judged=False), lambda _: None)


def test_storm_to_another_server() -> None:
    """The clients leave one server, miss its events, and resume at the other one."""
    steps: list[str] = []
    sites, crowd = two_sites(steps), Clients("crowd", steps)
    storm = run_storm(context(), sites, crowd, 0, resume=True, pause=0.0)
    assert steps == [
        "crowd cut",
        f"b's read {PLAN.missed_events}",
        f"a sends {PLAN.missed_events - 2}",
        "b's read 26",
        "b sends 24",
        "crowd open b with cursors",
        "crowd drain",
        "a's drain",
        "b's drain",
    ]
    # Only the event while the clients connected counts.
    assert (storm.seconds, storm.cpu_ns, storm.delays_ms) == (3.0, 20 * 10**6, [2.0])


def test_lost_event() -> None:
    """A client that gets one event less than it has missed ends the measurement."""
    steps: list[str] = []
    sites, crowd = two_sites(steps), Clients("crowd", steps, PLAN.missed_events - 1)
    run_storm(context(), sites, crowd, 0, resume=False, pause=0.0)
    with pytest.raises(BenchFailed, match=r"a client that resumed got 9 of 10 events"):
        run_storm(context(), sites, crowd, 0, resume=True, pause=0.0)


def test_measure_in_turn() -> None:
    """Both kinds come equally often to each server, and the figures are relative to each other."""
    steps: list[str] = []
    run = context()
    measure_storms(run, "redis", two_sites(steps), Clients("crowd", steps), "redis_")
    assert [step for step in steps if " open " in step] == [
        "a's open a",
        "b's open b",
        "crowd open a",
        "crowd open b",  # a warm-up
        "crowd open a",
        "crowd open b with cursors",
        "crowd open a with cursors",
        "crowd open b",
    ]
    found = {figure.key: (figure.value, figure.text) for figure in run.results.figures}
    assert found == {
        "redis_connect_storm_seconds": (2.0, "40 clients connect to another server"),
        "redis_resume_storm_seconds": (3.0, "40 clients resume there, 10 missed events each"),
        "redis_resume_to_connect": (1.5, "time to resume there, relative to connecting"),
        "redis_connect_cpu_ms": (0.5, "CPU of the server per client, when they connect there"),
        "redis_resume_cpu_ms": (0.5, "CPU of the server per client, when they resume there"),
        "redis_connect_live_p99_ms": (
            2.0,
            "delay of an event to another client while they connect there, p99",
        ),
        "redis_resume_live_p99_ms": (
            2.0,
            "delay of an event to another client while they resume there, p99",
        ),
    }


def test_one_server() -> None:
    """With one server, the clients come back to it, and the keys have no prefix."""
    steps: list[str] = []
    run = context()
    measure_storms(run, "resume", two_sites(steps)[:1], Clients("crowd", steps))
    assert {step for step in steps if step.startswith("crowd open")} == {
        "crowd open a",
        "crowd open a with cursors",
    }
    assert run.results.value("resume_to_connect") == 1.5
    assert "another server" not in str(run.results.figures)
