"""Tests of the gateway's command: the settings from the environment and from options."""

from __future__ import annotations

import runpy
import sys

import pytest

from gateway_shim.http_client.certificates import VARIABLES
from gateway_shim.parity.ports import free_port
from gateway_shim.protocol.client_address import DEFAULT_PROXIES, TrustedProxies
from gateway_shim.protocol.event_stream import Dialect
from gateway_shim.standalone import command
from gateway_shim.standalone.http_backend import HttpBackend
from tests.gateway_shim.standalone.command_runs import run, started

pytestmark = pytest.mark.usefixtures("no_gunicorn")


def test_environment_alone() -> None:
    """The command can be started by its environment alone, as the Node gateway."""
    port = free_port()
    options, front = started(
        run(
            PORT=str(port),
            HOST="127.0.0.1",
            CALLBACK_URL="http://127.0.0.1:1/x",
            HEARTBEAT_INTERVAL_SECONDS="7",
            SSE_DIALECT="envelope",
        )
    )
    assert options["bind"] == [f"127.0.0.1:{port}"]
    assert isinstance(front.gateway.backend, HttpBackend)
    assert front.gateway.backend._url == "http://127.0.0.1:1/x"
    assert front.gateway.config.heartbeat_interval == 7
    assert front.gateway.config.dialect is Dialect.ENVELOPE


def test_options_win() -> None:
    """An option overrides its environment variable."""
    port = free_port()
    options, front = started(
        run(
            *("--port", str(port), "--host", "127.0.0.1", "--callback-url", "http://127.0.0.1:2/"),
            *("--heartbeat-interval", "9", "--dialect", "named"),
            PORT="1",
            HOST="192.0.2.1",
            CALLBACK_URL="http://127.0.0.1:1/",
            HEARTBEAT_INTERVAL_SECONDS="7",
            SSE_DIALECT="envelope",
        )
    )
    assert options["bind"] == [f"127.0.0.1:{port}"]
    assert isinstance(front.gateway.backend, HttpBackend)
    assert front.gateway.backend._url == "http://127.0.0.1:2/"
    assert front.gateway.config.heartbeat_interval == 9
    assert front.gateway.config.dialect is Dialect.NAMED


@pytest.mark.parametrize(
    "empty", [{}, {"PORT": "", "CALLBACK_URL": "", "HOST": "", "SSE_DIALECT": ""}]
)
def test_defaults(
    empty: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without settings, the gateway listens on localhost:3000 and warns that it has no backend."""
    checked = []
    monkeypatch.setattr(command, "check_address", lambda *address: checked.append(address))
    options, front = started(run(**empty))
    assert checked == [("localhost", 3000)]
    assert options["bind"][0] == "127.0.0.1:3000"
    assert front.gateway.backend.configured is False
    assert [record.message for record in caplog.records] == [
        "CALLBACK_URL is not set: every stream is refused with 503"
    ]
    assert front.gateway.config.heartbeat_interval == 15
    assert front.gateway.config.dialect is Dialect.NAMED


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("1", 1),
        ("65535", 65535),
        (" 81 ", 81),
        ("+81", 81),
        ("0x51", 81),
        ("81.0", 81),
        ("8.1e1", 81),
        ("0b11", 3),
    ],
)
def test_port(text: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port is an integer in any notation that JavaScript accepts."""
    monkeypatch.setattr(command, "check_address", lambda *_: None)
    options, _ = started(run(PORT=text, HOST="127.0.0.1"))
    assert options["bind"] == [f"127.0.0.1:{port}"]


@pytest.mark.parametrize(
    "text",
    [
        " http://127.0.0.1:1/cb ",
        "http:/127.0.0.1:1/cb",
        "http://127.0.0.1:1\\cb",
        "http://us%20er:p@127.0.0.1:1/cb",
        "http://127.0.0.1:1/c b?x=y z#f",
        "HTTPS://[::1]:1",
    ],
)
def test_callback_url(text: str) -> None:
    """Each text that is a URL to Node is accepted and passed on unchanged."""
    port = str(free_port())
    _, front = started(run(PORT=port, HOST="127.0.0.1", CALLBACK_URL=text))
    assert isinstance(front.gateway.backend, HttpBackend)
    assert front.gateway.backend._url == text


def test_host_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    """An IPv6 address may be in brackets, as in a URL."""
    monkeypatch.setattr(command, "check_address", lambda *_: None)
    options, _ = started(run("--host", "[::1]", "--port", "81"))
    assert options["bind"] == ["[::1]:81"]


@pytest.mark.parametrize(
    ("arguments", "environment", "seconds"),
    [
        ([], {}, 150),
        ([], {"KEEP_ALIVE_SECONDS": "70"}, 70),
        (["--keep-alive", "80"], {"KEEP_ALIVE_SECONDS": "70"}, 80),
    ],
)
def test_keep_alive(arguments: list[str], environment: dict[str, str], seconds: int) -> None:
    """The time of an idle connection comes from the option, the environment or the default."""
    options, _ = started(run("--port", str(free_port()), *arguments, **environment))
    assert options["keepalive"] == seconds


@pytest.mark.parametrize(
    ("environment", "per_address", "proxies"),
    [
        ({}, 1000, DEFAULT_PROXIES),
        (
            {"SSE_MAX_CONNECTIONS_PER_ADDRESS": "7", "TRUSTED_PROXIES": "10.0.0.0/8,unix"},
            7,
            "10.0.0.0/8,unix",
        ),
    ],
)
def test_addresses(environment: dict[str, str], per_address: int, proxies: str) -> None:
    """The streams per address and the trusted proxies come from the environment only."""
    config = started(run(PORT=str(free_port()), **environment))[1].gateway.config
    assert config.max_connections_per_address == per_address
    assert config.proxies == TrustedProxies.parse(proxies)


@pytest.mark.parametrize(
    ("environment", "pending"),
    [
        ({}, 500),
        ({"SSE_MAX_PENDING_CONNECTS": "7"}, 7),
        ({"SSE_MAX_PENDING_CONNECTS": "0"}, 500),
        ({"SSE_MAX_PENDING_CONNECTS": "1501"}, 1500),
    ],
)
def test_pending_connects(environment: dict[str, str], pending: int) -> None:
    """The number of pending connects comes from the environment, with an upper limit."""
    config = started(run(PORT=str(free_port()), **environment))[1].gateway.config
    assert config.max_pending_connects == pending


def test_python_m(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """``python -m gateway_shim`` runs the command, whose help names all settings."""
    monkeypatch.setattr(sys, "argv", ["gateway_shim", "--help"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("gateway_shim", run_name="__main__")
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Usage: python -m gateway_shim [OPTIONS]\n")
    # The help also names the settings without an option, which users of the Node gateway look for.
    limits = ("SSE_MAX_CONNECTIONS_PER_ADDRESS", "SSE_MAX_PENDING_CONNECTS", "TRUSTED_PROXIES")
    lines = [line.split()[0].strip(",") for line in shown.splitlines() if line.startswith("    ")]
    assert {*limits, *VARIABLES} - {*lines, "SSL_CERT_DIR"} == set()


def test_redis_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """The gateway on a port gets its events from its backend."""
    result = run(SSE_BUS_URL="redis://me:hunter2@h", HOST="127.0.0.1", PORT=str(free_port()))
    assert result.exit_code == 1
    assert "gets its events from one backend" in result.output + caplog.text
    assert "hunter2" not in result.output + caplog.text
