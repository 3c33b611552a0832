"""Tests of gunicorn's settings, for ``serve`` and for gunicorn.conf.py alike."""

from __future__ import annotations

import re
import runpy
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
from gateway_shim.parity.ports import free_port
from gateway_shim.server import arbiter as arbiter_module
from gateway_shim.server.options import KEEP_ALIVE_SECONDS
from gateway_shim.server.process.start_signals import START
from tests.support.processes.server import ROOT


def options_of(**settings: Any) -> dict[str, Any]:
    """Return the options for settings."""
    return gunicorn_options(Settings(_env_file=None, **settings))


def test_gunicorn_accepts_every_option() -> None:
    """gunicorn accepts the name and the value of each option."""
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
    """The server listens at HOST and PORT, and at ADMIN_BIND if it is set."""
    assert options_of(**settings)["bind"] == bind


def test_the_number_of_workers() -> None:
    """The server has as many workers as WEB_CONCURRENCY says."""
    assert options_of(web_concurrency=3)["workers"] == 3


def test_idle_connections() -> None:
    """An idle connection stays longer than proxies keep it, or as long as the setting says."""
    assert options_of()["keepalive"] == Settings(_env_file=None).keep_alive_seconds == 150
    assert KEEP_ALIVE_SECONDS == 150
    assert options_of(keep_alive_seconds=700)["keepalive"] == 700


@pytest.mark.parametrize("timeout", [0.0, 0.4, 25.0, 600.0])
def test_the_arbiter_waits_longer_than_the_shutdown(timeout: float) -> None:
    """The arbiter kills a worker only after tasks and streams have had their time to end."""
    assert options_of(graceful_shutdown_timeout=timeout)["graceful_timeout"] >= timeout + 5 + 5


def test_the_arbiter_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn's ``on_starting`` hook prepares the arbiter, with a check before each reload.

    It then makes the directory of the event log.
    """
    calls: list[tuple[object, ...]] = []

    class FakeArbiter(arbiter_module.StreamArbiter):
        cfg = "its configuration"

        def __init__(self) -> None:
            """Make an arbiter that is not set up."""

        def prepare(self, start_check: object, **more: object) -> None:
            calls.append(("prepare", start_check, more["ends_at_early_hangup"]))

    monkeypatch.setattr(arbiter_module, "check_worker_class", lambda cfg: calls.append((cfg,)))
    monkeypatch.setattr(arbiter_module, "adopt_orphans", lambda: calls.append(("adopt",)))
    monkeypatch.setattr(
        serving,
        "prepare_log_place",
        lambda arbiter, settings: calls.append(("place", arbiter.cfg, settings.sse_state_dir)),
    )
    options_of(sse_state_dir="/state")["on_starting"](FakeArbiter())
    assert calls == [
        ("its configuration",),
        ("adopt",),
        ("prepare", serving.start_check, False),
        ("place", "its configuration", "/state"),
    ]


def test_tls_needs_both_files() -> None:
    """TLS needs a certificate and a key, and both files must be usable."""
    assert "certfile" not in options_of()
    for settings in ({"certfile": "c"}, {"keyfile": "k"}, {"certfile": "c", "keyfile": "k"}):
        with pytest.raises(InvalidConfiguration):
            options_of(**settings)


# ------------------------------------------------------------------------- the sockets that listen


def arbiter_at(address: object, workers: int = 1) -> Any:
    """Return a stand-in for gunicorn's arbiter, with one listening socket."""
    getsockname: Callable[[], object] = lambda: address  # noqa: E731
    return SimpleNamespace(
        LISTENERS=[SimpleNamespace(sock=SimpleNamespace(getsockname=getsockname))],
        cfg=SimpleNamespace(workers=workers),
    )


def test_the_announcement(capsys: pytest.CaptureFixture[str]) -> None:
    """The server prints what to type next, with the address of its first socket."""
    options_of(port=1)["when_ready"](arbiter_at(("127.0.0.1", 5000)))
    assert "curl -N 'http://127.0.0.1:5000/api/sse/stream" in capsys.readouterr().out
    options_of(port=1)["when_ready"](arbiter_at(("127.0.0.1", 5000), workers=3))
    assert capsys.readouterr().out.startswith("\n  Workers          3\n  Console   ")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (("0.0.0.0", 80), "0.0.0.0:80"),
        (("::", 80, 0, 0), "[::]:80"),
        (("10.1.2.3", 80), "10.1.2.3:80"),
    ],
)
def test_an_address_that_other_machines_reach(address: object, shown: str) -> None:
    """Outside production a socket that other machines reach needs ALLOW_OPEN with both words."""
    for allowed in ("", "tasks", "metrics"):
        with pytest.raises(SystemExit) as caught:
            options_of(allow_open=allowed)["when_ready"](arbiter_at(address))
        assert caught.value.code == (
            f"sse-monolith: the server listens at {shown}: other machines could start tasks and"
            " read the metrics. Set FLASK_ENV=production (it needs SSE_CALLBACK_SECRET), or"
            " ALLOW_OPEN=tasks,metrics to let everyone do both"
        )
    secret = SecretStr("s3cret")
    options_of(allow_open="metrics,tasks")["when_ready"](arbiter_at(address))
    production = options_of(flask_env="production", sse_callback_secret=secret)
    production["when_ready"](arbiter_at(address))


@pytest.mark.parametrize("address", [("127.8.9.1", 80), ("::1", 80, 0, 0), "/run/a.sock", b"\0a"])
def test_an_address_of_this_machine(address: object) -> None:
    """Loopback addresses and Unix sockets need no setting."""
    options_of(allow_open="")["when_ready"](arbiter_at(address))


@pytest.mark.parametrize("address", [("127.0.0.1", 5000), ("127.0.0.2", 5001), "/a/socket"])
def test_an_admin_address_without_a_socket(
    address: object, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning says what to do if --bind or systemd's sockets leave out ADMIN_BIND."""
    options_of(admin_bind="127.0.0.1:5001")["when_ready"](arbiter_at(address))
    (record,) = caplog.records
    assert "does not listen at ADMIN_BIND, 127.0.0.1:5001: add" in record.message


def test_an_admin_address_with_a_socket(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged if a socket listens at ADMIN_BIND, or if ADMIN_BIND is not set."""
    options_of(admin_bind="[::1]:5001")["when_ready"](arbiter_at(("::1", 5001, 0, 0)))
    options_of()["when_ready"](arbiter_at(("127.0.0.1", 5000)))
    assert caplog.records == []


# ------------------------------------------------------------------------- gunicorn.conf.py


FILE = str(ROOT / "gunicorn.conf.py")


@pytest.fixture
def begun(
    log_set_up: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> list[dict[str, bool]]:
    """Return a list that gets the arguments with which the file begins to handle signals.

    The signals of this process belong to the tests, so the file's call is only recorded.
    """
    calls: list[dict[str, bool]] = []
    monkeypatch.setattr(START, "begin", lambda **arguments: calls.append(arguments))
    monkeypatch.chdir(tmp_path)
    return calls


def test_the_configuration_file(
    begun: list[dict[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """gunicorn.conf.py has these options, from the environment."""
    port = free_port()
    monkeypatch.setenv("PORT", str(port))
    found = runpy.run_path(FILE)
    assert begun == [{"remember_hangup": True}]
    assert found["bind"] == [f"127.0.0.1:{port}"]
    assert {name for name in options_of() if name not in found} == set()


@pytest.mark.usefixtures("begun")
@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("PORT", "x", ""),
        ("HEARTBEAT_INTERVAL_SECONDS", "often", ""),
        ("FLASK_ENV", "live", ""),
        ("SSE_GATEWAY_URL", "localhost:3000", ""),
        ("GRACEFUL_SHUTDOWN_TIMEOUT", "inf", ""),
        ("CORS_ORIGINS", "example.com", ""),
        ("HOST", "unix:/run/x.sock", "gunicorn with --bind unix:/path"),
        ("HOST", "127.0.0.1:80", "without scheme and port"),
        ("ADMIN_BIND", "::1:6261", r"write \[::1\]:6261"),
    ],
)
def test_a_bad_setting_in_the_configuration_file(
    name: str, value: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad setting ends gunicorn.conf.py with one line: its name, advice and its value."""
    monkeypatch.setenv(name, value)
    line = rf"sse-monolith: {name}: .*{advice}.*\(it is '{re.escape(value)}'\)"
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(FILE)
    assert re.fullmatch(line, str(ended.value.code))
