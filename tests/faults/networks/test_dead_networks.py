"""Half-open connections: clients whose network fails without a word."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from tests.faults.conftest import Tally
from tests.faults.undisturbed import assert_whole
from tests.support.backend_client import active_streams, connect, metric, start_task, task_story
from tests.support.processes.process_table import descriptors
from tests.support.processes.server import GunicornServer, Server
from tests.support.timing import wait_until

TIMEOUT = 4
"""The least value of SSE_CLIENT_TIMEOUT_SECONDS."""

COUNT = 20

CLIENT = """
import socket, sys, time
streams = []
for number in range(int(sys.argv[3])):
    stream = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    target = b"/api/sse/stream?request_id=far-%d" % number
    stream.sendall(b"GET " + target + b" HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    stream.recv(100)
    streams.append(stream)
print("open", flush=True)
time.sleep(600)
"""


@dataclass(frozen=True)
class Cable:
    """A virtual cable with one end here and one end in a network namespace of its own."""

    namespace: str
    here: str
    far_link: str

    def pull(self) -> None:
        """Cut the connection, without notice to either end."""
        run("ip", "-n", self.namespace, "link", "set", self.far_link, "down")


def run(*command: str) -> None:
    """Run a command, which must succeed."""
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def cable() -> Iterator[Cable]:
    """Create a virtual cable, or skip the test where that is impossible. In CI, fail instead."""
    number = os.getpid() % 10_000
    name, far = f"sse{number}", f"ssef{number}"
    # Test runs at the same time have different subnets.
    subnet = f"10.{210 + number // 250}.{number % 250}"
    try:
        run("ip", "netns", "add", name)
        try:
            run("ip", "link", "add", name, "type", "veth", "peer", "name", far, "netns", name)
            run("ip", "address", "add", f"{subnet}.1/30", "dev", name)
            run("ip", "link", "set", name, "up")
            run("ip", "-n", name, "address", "add", f"{subnet}.2/30", "dev", far)
            run("ip", "-n", name, "link", "set", far, "up")
            yield Cable(name, f"{subnet}.1", far)
        finally:
            run("ip", "netns", "delete", name)  # the cable goes with it
    except subprocess.CalledProcessError as exc:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no network namespaces here: {exc.stderr.decode().strip()}")


@pytest.mark.needs("networks")
def test_a_pulled_cable_is_noticed(cable: Cable, tally: Tally) -> None:
    """Streams of unreachable clients end in time, busy or idle, and other streams go on."""
    with ExitStack() as stack:
        # One server always has data to send. On the other, the kernel's probes must notice.
        busy, idle = (stack.enter_context(serve(cable, heartbeat)) for heartbeat in ("1", "3600"))
        servers = {busy: "unanswered data", idle: "keep-alive probes"}
        nears, held = {}, {}
        for server in servers:
            near = nears[server] = stack.enter_context(connect(server))
            near.wait_for("version")
            held[server] = descriptors(server.worker_pid())
            stack.enter_context(far_streams(cable, server))
            assert active_streams(server) == COUNT + 1
        cable.pull()
        tasks = {busy: start_task(busy, "demo_task", steps=100, delay=0.002)}
        for server, noticed_by in servers.items():
            wait_until(lambda s=server: active_streams(s) == 1, "the far streams to be gone")  # type: ignore[misc]
            if server is idle:
                tasks[idle] = start_task(idle, "demo_task", steps=100, delay=0.002)
            assert_whole(task_story(nears[server], tasks[server]), 100)
            stalled = 'sse_gateway_streams_closed_total{reason="client_stalled"}'
            assert metric(server, stalled) == COUNT
            worker = server.worker_pid()
            wait_until(
                lambda w=worker, s=server: descriptors(w) <= held[s], "descriptors to be back"
            )  # type: ignore[misc]
            tally(
                f"{COUNT} cables pulled, noticed by {noticed_by}",
                102,
                102,
                f"the dead streams, within {TIMEOUT} s",
            )


def serve(cable: Cable, heartbeat: str) -> GunicornServer:
    """Return a backend that listens on both ends of the cable."""
    env = {
        "SSE_CLIENT_TIMEOUT_SECONDS": str(TIMEOUT),
        "HEARTBEAT_INTERVAL_SECONDS": heartbeat,
        "ALLOW_OPEN": "tasks,metrics",
    }
    return GunicornServer("--bind", f"{cable.here}:{{port}}", env=env)


@contextmanager
def far_streams(cable: Cable, server: GunicornServer) -> Iterator[None]:
    """Hold streams of clients at the far end of the cable."""
    enter = ["ip", "netns", "exec", cable.namespace, sys.executable]
    command = [*enter, "-c", CLIENT, cable.here, str(server.port), str(COUNT)]
    with Server(command, ready_path=None) as client:
        client.wait_for_log("open")
        yield
