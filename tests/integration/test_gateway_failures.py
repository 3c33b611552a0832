"""A gateway behind HTTP that is away, slow, silent or mad: the backend lives on.

Nothing of the application waits longer than one time limit, which is short here.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import uuid
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.protocol.event_stream import Dialect
from tests.app.services.remote_gateway.http_gateway import OK, HttpGateway, Respond, http_answer
from tests.integration.installation import SECRET, SHIM, Installation, over_http
from tests.support.backend_client import metric
from tests.support.http.client import request
from tests.support.http.message import Ended
from tests.support.http.stream import StreamRefused
from tests.support.processes.server import GunicornServer, Server
from tests.support.timing import TIME_LIMIT, Stopwatch, wait_until

LIMIT = 0.3
SLACK = 0.6
"""Seconds that anything may take besides, waits for a processor not counted."""

SETTINGS = {"SSE_GATEWAY_TIMEOUT_SECONDS": str(LIMIT), "GRACEFUL_SHUTDOWN_TIMEOUT": "5"}


@pytest.fixture(scope="module")
def gateway() -> Iterator[HttpGateway]:
    """A gateway of which only ``/internal/send`` exists; each test says what it answers."""
    with HttpGateway() as running:
        yield running


@pytest.fixture(scope="module")
def backend(gateway: HttpGateway) -> Iterator[GunicornServer]:
    """A backend that sends to that gateway."""
    env = {"FLASK_ENV": "testing", "SSE_CALLBACK_SECRET": SECRET, "SSE_GATEWAY_URL": gateway.url}
    with GunicornServer(env=SETTINGS | env) as server:
        yield server


class Scene:
    """A backend that knows some streams, and the gateway that it believes to have them.

    Args:
        gateway: answers the sends.
        backend: sends.
    """

    def __init__(self, gateway: HttpGateway, backend: Server) -> None:
        self.gateway = gateway
        self.backend = backend
        self.installation = Installation(backend, backend, None)
        self.tokens: list[str] = []

    def connect(self, count: int = 1) -> list[float]:
        """Have streams connect, as the gateway's callbacks; the seconds that each took."""
        seconds = []
        for _ in range(count):
            token = f"token-{uuid.uuid4()}"
            with self.stopwatch() as watch:
                answer = self.installation.callback("connect", token, str(uuid.uuid4()))
            seconds.append(watch.seconds)
            assert (answer.status, answer.json()) == (200, {})
            self.tokens.append(token)
        return seconds

    def disconnect(self) -> None:
        """Have all streams end."""
        for token in self.tokens:
            assert self.installation.callback("disconnect", token, reason="error").status == 200

    def run_task(self, steps: int) -> float:
        """Run a task, and wait until its last event was sent; the seconds that it took."""
        before = self._sent_at_all()
        with self.stopwatch() as watch:
            task_id = self.installation.start_task("demo_task", steps=steps, delay=0)
            wait_until(
                lambda: self._sent_at_all() == before + steps + 2,
                "all of the task's events to be sent",
            )
        answer = request(self.backend.port, "GET", f"/api/tasks/{task_id}/status")
        assert answer.json()["status"] == "completed"
        return watch.seconds

    def stopwatch(self) -> Stopwatch:
        """Measure what the backend does, and this process, which is the gateway."""
        return Stopwatch(self.backend.worker_pid())

    def _sent_at_all(self) -> float:
        return sum(self.sent(status) for status in ("success", "error", "no_stream"))

    def sent(self, status: str) -> float:
        """How many task events the backend counts with this outcome."""
        name = "sse_gateway_events_sent_total"
        try:
            return metric(self.backend, f'{name}{{service="task",status="{status}"}}')
        except AssertionError:  # none yet
            return 0.0


@pytest.fixture
def scene(gateway: HttpGateway, backend: GunicornServer) -> Iterator[Scene]:
    """Both, and a gateway that takes everything until the test says otherwise."""
    gateway.stop()  # what hangs in it of the test before
    gateway.start()
    gateway.respond = lambda send: OK
    gateway.bodies.clear()
    gateway.most_at_once = 0
    scene = Scene(gateway, backend)
    yield scene
    scene.disconnect()
    assert scene.installation.active == 0
    assert "Traceback" not in backend.log


def hang(send: dict[str, Any]) -> bytes:
    """Never answer."""
    Signal().wait()
    return b""


# ------------------------------------------------------------------ what it answers


def test_it_works(scene: Scene) -> None:
    """To begin with: every stream has every event of a task, in order."""
    scene.connect(3)
    scene.gateway.bodies.clear()
    scene.run_task(steps=3)
    stories = [
        [json.loads(data)["event_type"] for data in scene.gateway.data_of(token)]
        for token in scene.tokens
    ]
    assert stories == [["task_started", *["progress_update"] * 3, "task_completed"]] * 3


def test_404_forgets_the_stream(scene: Scene) -> None:
    """It is not sent to again; the others are."""
    scene.connect(3)
    gone = scene.tokens[1]
    scene.gateway.respond = lambda send: http_answer(404) if send["token"] == gone else OK
    scene.gateway.bodies.clear()
    scene.run_task(steps=1)
    assert [len(scene.gateway.data_of(token)) for token in scene.tokens] == [3, 1, 3]
    assert scene.installation.active == 2


@pytest.mark.parametrize(
    "respond",
    [
        lambda send: http_answer(500),
        lambda send: http_answer(302, b"", b"Location: http://127.0.0.1:1/"),
        lambda send: http_answer(401),
        lambda send: b"\0\xffgarbage\r\n\r\n",
        lambda send: b"",
    ],
    ids=["500", "redirect", "401", "garbage", "hangs up"],
)
def test_answers_that_help_nobody(scene: Scene, respond: Respond) -> None:
    """The task is completed all the same, the streams stay, the errors are counted."""
    scene.connect(2)
    before = scene.sent("error")
    scene.gateway.respond = respond
    assert scene.run_task(steps=2) < LIMIT + 2 * SLACK
    assert scene.installation.active == 2
    assert scene.sent("error") == before + 4
    scene.gateway.respond = lambda send: OK
    scene.gateway.bodies.clear()
    scene.run_task(steps=1)
    assert [len(scene.gateway.data_of(token)) for token in scene.tokens] == [3, 3]


def test_nobody_there(scene: Scene) -> None:
    """Refused: streams connect and tasks run as fast as ever; later all is well again."""
    scene.gateway.stop()
    try:
        assert max(scene.connect(3)) < SLACK
        assert scene.run_task(steps=10) < 2 * SLACK
        assert scene.installation.active == 3
    finally:
        scene.gateway.start()
    scene.gateway.bodies.clear()
    scene.run_task(steps=1)
    assert [len(scene.gateway.data_of(token)) for token in scene.tokens] == [3, 3, 3]


# ------------------------------------------------------------------ how long it takes


def test_silence_costs_one_time_limit(scene: Scene) -> None:
    """A connect is answered after at most one; a task of many events is held up by little more."""
    scene.connect(20)
    scene.gateway.respond = hang
    assert scene.connect()[0] < LIMIT + SLACK
    seconds = scene.run_task(steps=10)
    assert seconds < LIMIT + 12 * 0.1 + 2 * SLACK
    assert scene.installation.active == 21
    scene.gateway.respond = lambda send: OK
    wait_until(
        lambda: scene.run_task(steps=1) < LIMIT and scene.sent("success") > 0,
        "the backend to notice that the gateway is back",
    )


def test_silence_stops_nothing_else(scene: Scene) -> None:
    """While a broadcast waits, every other request is answered at once."""
    scene.connect(50)
    scene.gateway.respond = hang
    waiting = gevent.spawn(scene.run_task, steps=5)
    slowest = 0.0
    while not waiting.ready():
        for path in ("/healthz", "/readyz", "/metrics", "/api/tasks"):
            with scene.stopwatch() as watch:
                assert request(scene.backend.port, "GET", path).status == 200
            slowest = max(slowest, watch.seconds)
    assert slowest < SLACK
    waiting.get()


def test_replacement_does_not_wait_for_the_close(scene: Scene) -> None:
    """Closing the earlier stream and sending the version are one time limit together."""
    request_id = str(uuid.uuid4())
    for _ in range(2):
        token = f"token-{uuid.uuid4()}"
        scene.tokens.append(token)
        with scene.stopwatch() as watch:
            assert scene.installation.callback("connect", token, request_id).status == 200
        scene.gateway.respond = hang
    assert watch.seconds < LIMIT + SLACK
    assert scene.installation.active == 1


def test_a_slow_gateway_has_everything_in_order(scene: Scene) -> None:
    """It takes its time with each send; nothing is lost, nothing overtakes."""

    def respond(send: dict[str, Any]) -> bytes:
        gevent.sleep(0.02)
        return OK

    scene.connect(40)
    scene.gateway.respond = respond
    scene.gateway.bodies.clear()
    scene.run_task(steps=10)
    wait_until(
        lambda: all(len(scene.gateway.data_of(token)) == 12 for token in scene.tokens),
        "every stream to have every event",
    )
    stories = [
        [json.loads(data)["data"].get("value") for data in scene.gateway.data_of(token)][1:-1]
        for token in scene.tokens
    ]
    assert stories == [sorted(stories[0])] * 40
    assert scene.gateway.most_at_once <= 16


def test_a_shutdown_does_not_wait_for_a_silent_gateway(gateway: HttpGateway) -> None:
    """SIGTERM with a task in the middle of a send: it ends in time, with status 0."""
    env = {"FLASK_ENV": "testing", "SSE_CALLBACK_SECRET": SECRET, "SSE_GATEWAY_URL": gateway.url}
    gateway.respond = lambda send: OK
    with GunicornServer(env=SETTINGS | env | {"GRACEFUL_SHUTDOWN_TIMEOUT": "3600"}) as server:
        scene = Scene(gateway, server)
        scene.connect(5)
        gateway.respond = hang
        scene.installation.start_task("demo_task", steps=5, delay=0.05)
        assert server.terminate() == 0
        assert "Traceback" not in server.log


# ------------------------------------------------------------------ a real gateway


def restarted(server: Server) -> Server:
    """The same gateway again, on the same port, not started yet."""
    again = Server(shlex.split(SHIM))
    again.port = server.port
    again.env = server.env
    return again


def kill(server: Server) -> None:
    """End a server and its worker at once, as a crash would."""
    os.killpg(server.pid, signal.SIGKILL)
    server.process.wait(TIME_LIMIT)


def test_killed_and_restarted() -> None:
    """Streams break; browsers come back with their request ids and have all that follows."""
    with over_http(SHIM, Dialect.NAMED, **SETTINGS) as installation:
        names = [str(uuid.uuid4()) for _ in range(5)]
        browsers = [installation.connect(name) for name in names]
        for browser in browsers:
            browser.wait_for("version")
        kill(installation.gateway)
        for browser in browsers:
            assert browser.stream.wait_for_end() is not Ended.CLEAN
            browser.stream.close()
        # The backend has not been told, and runs tasks for nobody.
        assert installation.active == 5
        installation.start_task("demo_task", steps=2, delay=0)
        with restarted(installation.gateway) as gateway:
            back = Installation(installation.backend, gateway, Dialect.NAMED)
            with back.connect(names[0]) as one, back.connect(names[1]) as two:
                for browser in (one, two):
                    assert browser.next().name == "version"
                task_id = back.start_task("demo_task", steps=2, delay=0)
                assert one.task_story(task_id) == two.task_story(task_id)
                # The three that did not come back were unknown to the new gateway.
                back.wait_for_active(2)
            back.wait_for_active(0)


def test_paused_for_longer_than_the_time_limit() -> None:
    """What it reads when it goes on, each stream gets in the order in which it was sent."""
    with over_http(SHIM, Dialect.NAMED, **SETTINGS) as installation:
        worker = installation.gateway.worker_pid()
        browsers = [installation.connect() for _ in range(3)]
        try:
            for browser in browsers:
                browser.wait_for("version")
            for round_number in range(3):
                # Many connections are open, and idle, when the pause begins.
                installation.announce("nobody", f"{round_number}.0")
                os.kill(worker, signal.SIGSTOP)
                try:
                    for number in range(1, 6):
                        installation.announce("nobody", f"{round_number}.{number}")
                finally:
                    os.kill(worker, signal.SIGCONT)
            wait_until(lambda: _arrives(installation), "the gateway to be heard of again")
            installation.announce("nobody", "last")
            for browser in browsers:
                browser.collect_until(lambda message: message.data.get("version") == "last")
                versions = [
                    message.data["version"]
                    for message in browser.messages[1:]
                    if message.name == "version"
                ]
                assert versions == sorted(versions, key=lambda text: (text == "last", text))
                assert len(set(versions)) == len(versions)
        finally:
            for browser in browsers:
                browser.stream.close()


def _arrives(installation: Installation) -> bool:
    name = 'sse_gateway_events_sent_total{service="task",status="success"}'
    installation.start_task("demo_task", steps=1, delay=0)
    try:
        return metric(installation.backend, name) > 0
    except AssertionError:
        return False


@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_gateway_with_the_wrong_secret(dialect: Dialect) -> None:
    """In production it opens no stream; with the right one it does."""
    env = {"FLASK_ENV": "production", "ALLOW_OPEN": "tasks,metrics"}
    gateway_env = {"SSE_DIALECT": dialect.value}
    with over_http(SHIM, dialect, gateway_env, **env) as installation:
        with installation.connect() as browser:
            assert browser.next().name == "version"
            task_id = installation.start_task("demo_task", steps=1, delay=0)
            assert browser.task_story(task_id)
        wrong = Server(shlex.split(SHIM))
        url = installation.gateway.env["CALLBACK_URL"].partition("?")[0]
        wrong.env |= {**gateway_env, "CALLBACK_URL": f"{url}?secret=wrong"}
        with wrong:
            _assert_refused(Installation(installation.backend, wrong, dialect))


def _assert_refused(installation: Installation) -> None:
    if installation.dialect is Dialect.ENVELOPE:
        with installation.connect() as browser:
            assert browser.stream.wait_for_end() is Ended.CLEAN
            assert browser.stream.raw == (
                b'event: rejected\ndata: {"status":401,"message":"UNAUTHORIZED"}\n\n'
            )
        return
    with pytest.raises(StreamRefused) as refused:
        installation.connect()
    assert (refused.value.response.status, refused.value.response.json()["error"]["code"]) == (
        401,
        "BACKEND_AUTH_FAILED",
    )
