"""Request ids and versions of a server with two workers: any worker knows where a stream is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.http.message import Ended
from tests.support.http.stream import Stream
from tests.support.processes.server import Server, ServeServer
from tests.support.processes.workers import EachWorker
from tests.support.timing import wait_until


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Start a server with two workers."""
    with ServeServer(
        workers=2, env={"FLASK_ENV": "testing", "KEEP_ALIVE_SECONDS": "60"}
    ) as running:
        yield running
    assert "Traceback" not in running.log


@pytest.fixture
def workers(server: Server) -> Iterator[EachWorker]:
    """Provide requests to each worker."""
    each = EachWorker(server)
    yield each
    each.close()


def send(workers: EachWorker, worker: int, request_id: str, number: int) -> int:
    """Let a worker send a numbered event to one request id, and return the status."""
    body = {"request_id": request_id, "task_id": f"n{number}", "event_type": "progress_update"}
    return workers.ask(worker, "POST", "/api/testing/sse/task-event", body).status


def announce(workers: EachWorker, worker: int, request_id: str, version: str) -> str:
    """Let a worker announce a version, and return what became of it for the request id."""
    body = {"request_id": request_id, "version": version}
    path = "/api/testing/deployments/version"
    answer = workers.ask(worker, "POST", path, body)
    assert answer.status == 202, answer.body
    return str(json.loads(answer.body)["status"])


def numbers(stream: Stream) -> list[str]:
    """Return the numbers of the events that a stream has got."""
    return [json.loads(e.data)["task_id"] for e in stream.events if e.type == "task_event"]


def versions(stream: Stream) -> list[str]:
    """Return the versions that a stream has got."""
    return [json.loads(e.data)["version"] for e in stream.events if e.type == "version"]


def test_a_request_id_moves_between_workers(server: Server, workers: EachWorker) -> None:
    """A connect ends the stream of its request id in the other worker, and gets its events."""
    first, second = both = server.worker_pids()
    with workers.stream(first, "one") as old:
        assert [send(workers, worker, "one", at) for at, worker in enumerate(both)] == [200, 200]
        old.wait_for(lambda event: "n1" in event.data)
        with workers.stream(second, "one") as new:
            assert old.wait_for_end() is Ended.CLEAN
            sent = [send(workers, worker, "one", at) for at, worker in enumerate(both, 2)]
            assert sent == [200, 200]
            new.wait_for(lambda event: "n3" in event.data)
            assert (numbers(old), numbers(new)) == (["n0", "n1"], ["n2", "n3"])
            with workers.stream(first, "one") as back:
                assert new.wait_for_end() is Ended.CLEAN
                assert send(workers, second, "one", 4) == 200
                back.wait_for(lambda event: "n4" in event.data)
                # What the first worker has not read yet when the stream opens comes, too.
                assert numbers(back) in (["n4"], ["n3", "n4"])
    wait_until(lambda: {send(workers, each, "one", 5) for each in both} == {400}, "no stream")


def test_versions_of_the_other_worker(server: Server, workers: EachWorker) -> None:
    """A version that one worker announces is delivered, or kept, by the other one."""
    first, second = server.worker_pids()
    with workers.stream(first, "here") as here:
        assert announce(workers, second, "here", "v1") == "delivered"
        here.wait_for(lambda event: "v1" in event.data)
        assert announce(workers, second, "later", "v2") == "queued"
        here.wait_for(lambda event: "v2" in event.data)
        for worker in (first, second):  # a pending version stays until a later one replaces it
            with workers.stream(worker, "later") as later:
                assert versions(later) == ["v2"]
        # A stream that has just connected may get a version twice, which does no harm.
        assert list(dict.fromkeys(versions(here)[1:])) == ["v1", "v2"]


def test_a_request_id_belongs_to_a_user_in_every_worker(tmp_path: Path) -> None:
    """Another user cannot take it over from the other worker; its user can."""
    (tmp_path / "users.py").write_text(
        "def authorize(request_id, url, headers):\n    return headers.get('x-user')\n"
    )
    env = {
        "FLASK_ENV": "testing",
        "KEEP_ALIVE_SECONDS": "60",
        "SSE_AUTHORIZE": "users:authorize",
        "APP_TASKS_PATH": str(tmp_path),
    }
    with ServeServer(workers=2, env=env) as server:
        workers = EachWorker(server)
        first, second = server.worker_pids()
        with workers.stream(first, "one", [("X-User", "ann")]) as old:
            for intruder in ([("X-User", "bob")], []):
                target = "/api/sse/stream?request_id=one"
                assert workers.ask(second, "GET", target, headers=intruder).status == 403
            assert old.poll().ended is None
            with workers.stream(second, "one", [("X-User", "ann")]):
                assert old.wait_for_end() is Ended.CLEAN
        workers.close()
    assert "ERROR" not in server.log
