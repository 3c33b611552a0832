"""A real gateway that is killed, paused, or has the wrong secret."""

from __future__ import annotations

import os
import shlex
import signal
import uuid

import pytest

from gateway_shim.protocol.event_stream import Dialect
from tests.integration.gateway_failures.registered_streams import SETTINGS
from tests.integration.installation import SHIM, Installation, over_http
from tests.support.backend_client import metric
from tests.support.http.message import Ended
from tests.support.http.stream import StreamNotOpened
from tests.support.processes.server import Server
from tests.support.timing import wait_until


def restarted(server: Server) -> Server:
    """Return the same gateway for another start on the same port."""
    again = Server(shlex.split(SHIM), port=server.port)
    again.env = server.env
    return again


def test_killed_and_restarted() -> None:
    """After a crash of the gateway, browsers reconnect and get all further events."""
    with over_http(SHIM, Dialect.NAMED, **SETTINGS) as installation:
        names = [str(uuid.uuid4()) for _ in range(5)]
        browsers = [installation.connect(name) for name in names]
        for browser in browsers:
            browser.wait_for("version")
        installation.gateway.kill()
        for browser in browsers:
            assert browser.stream.wait_for_end() is not Ended.CLEAN
            browser.stream.close()
        # The backend does not know that the streams have ended.
        assert installation.active == 5
        installation.start_task("demo_task", steps=2, delay=0)
        with restarted(installation.gateway) as gateway:
            back = Installation(installation.backend, gateway, Dialect.NAMED)
            with back.connect(names[0]) as one, back.connect(names[1]) as two:
                for browser in (one, two):
                    assert browser.next().name == "version"
                task_id = back.start_task("demo_task", steps=2, delay=0)
                assert one.task_story(task_id) == two.task_story(task_id)
                # The new gateway does not know the three streams that did not come back.
                back.wait_for_active(2)
            back.wait_for_active(0)


def test_paused_for_longer_than_the_time_limit() -> None:
    """After a pause of the gateway, each stream gets its events in the order of sending."""
    with over_http(SHIM, Dialect.NAMED, **SETTINGS) as installation:
        worker = installation.gateway.worker_pid()
        browsers = [installation.connect() for _ in range(3)]
        try:
            for browser in browsers:
                browser.wait_for("version")
            for round_number in range(3):
                # Many idle connections are open when the pause begins.
                installation.announce("nobody", f"{round_number}.0")
                os.kill(worker, signal.SIGSTOP)
                try:
                    for number in range(1, 6):
                        installation.announce("nobody", f"{round_number}.{number}")
                finally:
                    os.kill(worker, signal.SIGCONT)
            wait_until(lambda: _arrives(installation), "the gateway to respond again")
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
    """In production mode, a gateway with the wrong secret opens no stream."""
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
    with pytest.raises(StreamNotOpened) as refused:
        installation.connect()
    assert (refused.value.response.status, refused.value.response.json()["error"]["code"]) == (
        401,
        "BACKEND_AUTH_FAILED",
    )
