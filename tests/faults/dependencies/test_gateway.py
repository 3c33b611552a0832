"""The gateway behind HTTP crashes and is started again."""

from __future__ import annotations

from gateway_shim.parity.ports import free_port
from tests.faults.conftest import Tally
from tests.faults.crowd import Crowd
from tests.faults.undisturbed import assert_whole
from tests.support.backend_client import active_streams, start_task
from tests.support.http.client import request
from tests.support.processes.server import GatewayServer, GunicornServer
from tests.support.timing import wait_until


def test_the_gateway_is_killed_and_comes_back(tally: Tally) -> None:
    """After SIGKILL of the gateway, browsers reconnect, and the backend drops the dead streams."""
    gateway_port, count = free_port(), 20
    env = {
        "SSE_GATEWAY_URL": f"http://127.0.0.1:{gateway_port}",
        "SSE_GATEWAY_TIMEOUT_SECONDS": "1",
    }
    with GunicornServer(env=env) as backend:
        gateway_env = {"CALLBACK_URL": f"{backend.url}/api/sse/callback"}
        gateway = GatewayServer(env=gateway_env, port=gateway_port)
        with gateway, Crowd(gateway_port, count) as crowd:
            task = start_task(backend, "demo_task", steps=20, delay=0.01)
            crowd.wait_for_tasks([task])
            interrupted = start_task(backend, "demo_task", steps=1000, delay=0.005)
            wait_until(lambda: len(crowd.clients[0].story(interrupted)) > 20, "some events")
            gateway.kill()
            crowd.wait_until(lambda client: not client.is_open, "see the end")
            lengths = [len(client.story(interrupted)) for client in crowd.clients]
            for client in crowd.clients:
                steps = [event["data"]["text"] for event in client.story(interrupted)[1:]]
                assert steps == [f"Step {step} of 1000" for step in range(1, len(steps) + 1)]
            # The task goes on, because the backend does not wait for the gateway. Cancel it.
            request(backend.port, "POST", f"/api/tasks/{interrupted}/cancel")
            with GatewayServer(env=gateway_env, port=gateway_port):
                crowd.wait_until(lambda client: len(client.streams) == 2, "be back")
                after = start_task(backend, "demo_task", steps=20, delay=0.01)
                crowd.wait_for_tasks([after])
                for events in [*crowd.stories(task), *crowd.stories(after)]:
                    assert_whole(events, 20)
                assert active_streams(backend) == count
                tally(
                    f"SIGKILL of the gateway behind HTTP, {count} streams",
                    2 * 22 * count + max(lengths) * count,
                    2 * 22 * count + sum(lengths),
                    "what was sent while it was away",
                )
                for client in crowd.clients:
                    client.leave()
                wait_until(lambda: active_streams(backend) == 0, "all streams to be gone")
            assert "Traceback" not in backend.log
