"""All attacks, one after the other, on a server in production mode without a proxy.

No open stream misses an event, other clients get their responses in time, and the memory goes back
to its size. The attackers run in processes of their own on the machine of the server. They use a
loopback address, to which the limits per address do not apply, so the results hold without these
limits. The attacks with tasks come from one client of a trusted proxy, to which the limits apply.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import gevent
import pytest

from app.bench.measured.process_figures import resident_bytes
from tests.faults.attacks.attack import ATTACKS, Attack
from tests.faults.attacks.user_tasks import APP_TASKS, SSE_AUTHORIZE
from tests.faults.canary.canary import IDLE_FLOOR, MAX_RATIO, Canary, Figures
from tests.faults.conftest import AttackTally
from tests.faults.floods.raw_stream import RawStream
from tests.support.backend_client import start_task
from tests.support.processes.server import ServeServer
from tests.support.timing import wait_until

ENV = {
    "FLASK_ENV": "production",
    "SSE_CALLBACK_SECRET": "of the test",
    "ALLOW_OPEN": "tasks,metrics",
    "APP_TASKS": APP_TASKS,
    "SSE_AUTHORIZE": SSE_AUTHORIZE,
    # Finished tasks that are kept have a limit of their own, and would look like growth here.
    "TASK_CLEANUP_INTERVAL_SECONDS": "10",
}

STREAMS = 10
STEPS = 50

IDLE_SECONDS = 0.25
WARMING_SECONDS = 0.5
"""The duration of each attack in the first round."""

ATTACKED_SECONDS = 1.5
"""The duration of each attack in the second round."""


MAX_MEMORY_OF_FRESH = 1.35
"""The limit of the ratio of resident memory after the first round to that of a fresh server."""

MAX_MEMORY = 1.1
"""The limit of the ratio of resident memory after the second round to that after the first."""

ONE_CLIENT = (("X-Forwarded-For", "203.0.113.9"),)

OPTIONS: dict[str, dict[str, object]] = {
    "half_open_heads": {"connections": 3000},
    "posts_to_nowhere": {"connections": 300},
    "slow_readers": {"connections": 500},
    "unread_pipelines": {"connections": 500},
    "reconnecting": {"connections": 2500, "rate": 100_000},
    "unfinished_bodies": {"connections": 800, "rate": 400},
    "large_heads": {"connections": 200, "rate": 300},
    "task_list": {"tasks": 400},
    "tasks_without_pause": {"seconds": 0.5},
}


@dataclass
class Round:
    """The figures of one attack in the second round.

    Attributes:
        attacked: the times of the canary's requests, in seconds.
        before: the resident memory before the attack, in bytes.
        after: the resident memory after the attack, in bytes.
    """

    attacked: list[float] = field(default_factory=list)
    before: int = 0
    after: int = 0


@pytest.fixture(scope="module")
def server() -> Iterator[ServeServer]:
    """Start a backend in production mode."""
    with ServeServer(env=ENV) as running:
        yield running


def attack(name: str, port: int) -> Attack:
    """Return an attack. An attack with tasks comes from one client of a proxy."""
    headers = ONE_CLIENT if name.startswith("task") else ()
    return Attack(name, port, headers=headers, **OPTIONS.get(name, {}))  # type: ignore[arg-type]


def settled_memory(pid: int, most: float) -> int:
    """Wait until the resident memory is at most ``most`` bytes, and return it in bytes."""
    wait_until(
        lambda: resident_bytes(pid) <= most,
        lambda: f"{most:,.0f} bytes of memory; there are {resident_bytes(pid):,}",
    )
    return resident_bytes(pid)


def test_all_attacks(server: ServeServer, attack_tally: AttackTally) -> None:
    """Two rounds of all attacks disturb no other client. The first round also fills caches."""
    worker = server.worker_pid()
    fresh = resident_bytes(worker)
    rounds = {name: Round() for name in ATTACKS}
    idle: list[float] = []
    with ExitStack() as stack:
        readers = [stack.enter_context(RawStream(server.port)) for _ in range(STREAMS)]
        canary = stack.enter_context(Canary(server.port))
        for name in ATTACKS:
            with attack(name, server.port):
                gevent.sleep(WARMING_SECONDS)
        canary.wait_until_idle(3 * IDLE_FLOOR)
        warm = settled_memory(worker, MAX_MEMORY_OF_FRESH * fresh)
        for name, seen in rounds.items():
            canary.take_seconds()
            gevent.sleep(IDLE_SECONDS)
            idle += canary.take_seconds()
            seen.before = resident_bytes(worker)
            task = start_task(server, "demo_task", steps=STEPS, delay=ATTACKED_SECONDS / STEPS)
            with attack(name, server.port):
                canary.take_seconds()
                gevent.sleep(ATTACKED_SECONDS)
                seen.attacked += canary.take_seconds()
            for reader in readers:
                wait_until(
                    partial(reader.has_completed, task), f"the end of the task beside {name}"
                )
                assert reader.steps(task) == list(range(1, STEPS + 1))
                reader.received.clear()
            canary.wait_until_idle(3 * max(Figures.of(idle).p50, IDLE_FLOOR))
            seen.after = resident_bytes(worker)
            print(f"{name}: {Figures.of(seen.attacked)}; {seen.before:,} {seen.after:,}")
        assert not any(reader.has_ended for reader in readers)
        last = settled_memory(worker, MAX_MEMORY * warm)
    before = Figures.of(idle)
    for name, seen in rounds.items():
        figures = Figures.of(seen.attacked)
        attack_tally(name, before.p99, figures.p99, seen.before, seen.after)
    print(f"idle: {before}; memory {fresh:,} bytes, after the rounds {warm:,} and {last:,}")
    too_slow = {
        name: str(Figures.of(seen.attacked))
        for name, seen in rounds.items()
        if Figures.of(seen.attacked).p99 > MAX_RATIO * max(before.p99, IDLE_FLOOR)
    }
    assert too_slow == {}
    assert "Traceback" not in server.log
    assert server.worker_pid() == worker
