"""gunicorn's settings, for ``serve`` and for gunicorn.conf.py alike."""

from __future__ import annotations

import errno
import runpy
import socket
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from pydantic import SecretStr

from app.config import Settings
from app.serving import gunicorn_settings as serving
from app.serving.gunicorn_settings import gunicorn_options
from gateway_shim.errors import InvalidConfiguration
from gateway_shim.server import options as server
from gateway_shim.server.process.start_signals import START
from tests.support.processes.server import ROOT


def options_of(**settings: Any) -> dict[str, Any]:
    """The options for the given settings."""
    return gunicorn_options(Settings(_env_file=None, **settings))


def test_gunicorn_takes_every_option() -> None:
    """By its own check of names and values."""
    config = Config()
    for name, value in options_of(graceful_shutdown_timeout=0.4).items():
        config.set(name, value)
    assert (config.workers, config.worker_class_str) == (
        1,
        "gateway_shim.server.worker.StreamWorker",
    )


@pytest.mark.parametrize(
    ("settings", "bind"),
    [
        ({}, ["127.0.0.1:5000"]),
        ({"host": "::", "port": 80}, ["[::]:80"]),
        ({"host": "[::1]"}, ["[::1]:5000"]),
        ({"admin_bind": "127.0.0.1:5001"}, ["127.0.0.1:5000", "127.0.0.1:5001"]),
        ({"admin_bind": "[0:0::1]:6261"}, ["127.0.0.1:5000", "[::1]:6261"]),
    ],
)
def test_where_to_listen(settings: dict[str, Any], bind: list[str]) -> None:
    """Host and port, and the admin address if there is one."""
    assert options_of(**settings)["bind"] == bind


def test_idle_connections() -> None:
    """An idle connection outlives what common proxies keep; the setting says how long."""
    assert options_of()["keepalive"] == Settings(_env_file=None).keep_alive_seconds == 150
    assert server.KEEP_ALIVE_SECONDS == 150
    assert options_of(keep_alive_seconds=700)["keepalive"] == 700


@pytest.mark.parametrize("timeout", [0.0, 0.4, 25.0, 600.0])
def test_the_arbiter_is_more_patient_than_the_shutdown(timeout: float) -> None:
    """It kills the worker when its own time is over: tasks and streams must have ended by then."""
    assert options_of(graceful_shutdown_timeout=timeout)["graceful_timeout"] >= timeout + 5 + 5


def test_the_arbiter_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook that sees to its signals is in its place, and asks before a reload."""
    prepared: list[tuple[object, ...]] = []
    monkeypatch.setattr(server, "check_worker_class", lambda cfg: prepared.append((cfg,)))
    monkeypatch.setattr(server, "adopt_orphans", lambda: prepared.append(()))
    monkeypatch.setattr(
        server.StreamArbiter, "take_over", lambda *given, **more: prepared.append((*given, more))
    )
    arbiter = SimpleNamespace(cfg="its configuration")
    options_of()["on_starting"](arbiter)
    more = {"ends_at_early_hangup": False}
    assert prepared == [("its configuration",), (), (arbiter, serving.start_check, more)]


def test_tls_needs_both_files() -> None:
    """And files that can be used."""
    assert "certfile" not in options_of()
    for settings in ({"certfile": "c"}, {"keyfile": "k"}, {"certfile": "c", "keyfile": "k"}):
        with pytest.raises(InvalidConfiguration):
            options_of(**settings)


class Listener:
    """Stands for one of gunicorn's listeners."""

    def __init__(self, address: object) -> None:
        self.sock = self
        self.getsockname: Callable[[], object] = lambda: address


class Arbiter:
    """Stands for gunicorn's arbiter, that listens at one address."""

    def __init__(self, address: object) -> None:
        self.LISTENERS = [Listener(address)]


@pytest.mark.parametrize(
    ("address", "base"),
    [
        (("127.0.0.1", 5000), "http://127.0.0.1:5000"),
        (("0.0.0.0", 8080), "http://127.0.0.1:8080"),
        (("::", 8080, 0, 0), "http://127.0.0.1:8080"),
        (("::1", 5000, 0, 0), "http://[::1]:5000"),
        (("10.1.2.3", 80), "http://10.1.2.3:80"),
    ],
)
def test_the_announcement(
    capsys: pytest.CaptureFixture[str], address: tuple[Any, ...], base: str
) -> None:
    """What to type next, with an address that a client on this machine can use."""
    options_of(port=1, allow_open="tasks,metrics")["when_ready"](Arbiter(address))
    assert capsys.readouterr().out == (
        f"\n  Open a stream    curl -N '{base}/api/sse/stream?request_id=me'"
        f"\n  Start a task     curl {base}/api/tasks"
        ' -H "Content-Type: application/json" -d \'{"task_type":"demo_task"}\''
        f"\n  Watch            python -m app watch {base}"
        "\n  Stop             Ctrl-C\n\n"
    )


def test_the_announcement_of_addresses_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Streams are the gateway's, and ADMIN_BIND has the tasks: here both would be refused."""
    options = options_of(
        sse_gateway_url="http://me:hunter2@10.1.2.3:3000", admin_bind="127.0.0.1:5001"
    )
    options["when_ready"](Arbiter(("127.0.0.1", 5000)))
    said = capsys.readouterr().out
    assert "'http://***@10.1.2.3:3000/api/sse/stream?request_id=me'" in said
    assert " watch http://***@10.1.2.3:3000\n" in said
    assert " http://127.0.0.1:5001/api/tasks " in said


def test_the_announcement_in_production(capsys: pytest.CaptureFixture[str]) -> None:
    """Tasks are served at ADMIN_BIND only; without it the announcement says so."""
    secret = SecretStr("s3cret")
    for more, line in (
        ({}, "Start a task     served nowhere: set ADMIN_BIND, or ALLOW_OPEN=tasks\n"),
        ({"allow_open": "tasks"}, "Start a task     curl http://127.0.0.1:5000/api/tasks "),
        (
            {"admin_bind": "127.0.0.1:5001"},
            "Start a task     curl http://127.0.0.1:5001/api/tasks ",
        ),
    ):
        options = options_of(flask_env="production", sse_callback_secret=secret, **more)
        options["when_ready"](Arbiter(("127.0.0.1", 5000)))
        assert line in capsys.readouterr().out


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (("0.0.0.0", 80), "0.0.0.0:80"),
        (("::", 80, 0, 0), "[::]:80"),
        (("10.1.2.3", 80), "10.1.2.3:80"),
    ],
)
def test_an_address_that_other_machines_reach(address: object, shown: str) -> None:
    """Whoever has made the socket: outside production it takes ALLOW_OPEN with both words."""
    for allowed in ("", "tasks", "metrics"):
        with pytest.raises(SystemExit) as caught:
            options_of(allow_open=allowed)["when_ready"](Arbiter(address))
        assert caught.value.code == (
            f"sse-monolith: the server listens at {shown}: other machines could start tasks and"
            " read the metrics. Set FLASK_ENV=production (it needs SSE_CALLBACK_SECRET), or"
            " ALLOW_OPEN=tasks,metrics to let everybody do both"
        )
    secret = SecretStr("s3cret")
    options_of(allow_open="metrics,tasks")["when_ready"](Arbiter(address))
    options_of(flask_env="production", sse_callback_secret=secret)["when_ready"](Arbiter(address))


@pytest.mark.parametrize("address", [("127.8.9.1", 80), ("::1", 80, 0, 0), "/run/a.sock", b"\0a"])
def test_an_address_of_this_machine(address: object) -> None:
    """Loopback and Unix sockets need no setting."""
    options_of(allow_open="")["when_ready"](Arbiter(address))


@pytest.mark.parametrize("program", ["sse-monolith", "/opt/bin/sse-monolith", "./sse-monolith"])
def test_the_announcement_names_the_program_as_it_was_called(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """So that the line can be typed where the server was started."""
    monkeypatch.setattr(sys, "argv", [program, "serve"])
    options_of()["when_ready"](Arbiter(("127.0.0.1", 5000)))
    assert f"  {program} watch http://127.0.0.1:5000\n" in capsys.readouterr().out


@pytest.mark.parametrize("address", [("127.0.0.1", 5000), ("127.0.0.2", 5001), "/a/socket"])
def test_an_admin_address_that_is_not_listened_at(
    address: object, caplog: pytest.LogCaptureFixture
) -> None:
    """gunicorn's --bind and systemd's sockets have taken its place: the log says what to do."""
    options_of(admin_bind="127.0.0.1:5001")["when_ready"](Arbiter(address))
    (record,) = caplog.records
    assert "does not listen at ADMIN_BIND, 127.0.0.1:5001: add" in record.message


def test_an_admin_address_that_is_listened_at(caplog: pytest.LogCaptureFixture) -> None:
    """There is nothing to say; nor without one."""
    options_of(admin_bind="[::1]:5001")["when_ready"](Arbiter(("::1", 5001, 0, 0)))
    options_of()["when_ready"](Arbiter(("127.0.0.1", 5000)))
    assert caplog.records == []


def test_an_announcement_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk behind the output does not keep the server from serving."""

    class Full:
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self) -> None:
            """Nothing to do."""

    monkeypatch.setattr(sys, "stdout", Full())
    options_of()["when_ready"](Arbiter(("127.0.0.1", 5000)))


def test_no_announcement_for_a_unix_socket(capsys: pytest.CaptureFixture[str]) -> None:
    """It has no URL."""
    options_of()["when_ready"](Arbiter("/run/gunicorn.sock"))
    assert capsys.readouterr().out == ""


def test_the_configuration_file(
    log_set_up: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """gunicorn.conf.py is these options, from the environment; a bad setting is one line."""
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    monkeypatch.setenv("PORT", str(port))
    file = str(ROOT / "gunicorn.conf.py")
    begun: list[dict[str, bool]] = []  # not really: the signals here are those of the tests
    monkeypatch.setattr(START, "begin", lambda **given: begun.append(given))
    found = runpy.run_path(file)
    assert begun == [{"remember_hangup": True}]
    assert found["bind"] == [f"127.0.0.1:{port}"]
    assert {name for name in options_of() if name not in found} == set()
    monkeypatch.setenv("PORT", "x")
    with pytest.raises(SystemExit, match=r"^sse-monolith: PORT: .*\(it is 'x'\)$"):
        runpy.run_path(file)
