"""The settings from environment and options, with gunicorn left out."""

from __future__ import annotations

import logging
import re
import runpy
import socket
import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway_shim.http_client.certificates import VARIABLES
from gateway_shim.log_lines import log_format
from gateway_shim.parity.ports import free_port
from gateway_shim.protocol.client_address import DEFAULT_PROXIES, TrustedProxies
from gateway_shim.protocol.event_stream import Dialect
from gateway_shim.standalone import command
from gateway_shim.standalone import wiring as standalone
from gateway_shim.standalone.front import Front
from gateway_shim.standalone.http_backend import HttpBackend


class FakeServer:
    """Where gunicorn would run."""

    def __init__(self, load: Any, options: dict[str, Any]) -> None:
        self.load, self.options = load, options
        self.ran = False
        STARTED.append(self)

    def run(self) -> None:
        """Serve; not here."""
        self.ran = True


STARTED: list[FakeServer] = []


@pytest.fixture(autouse=True)
def _no_gunicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    STARTED.clear()
    monkeypatch.setattr(command, "GunicornServer", FakeServer)
    monkeypatch.setattr(log_format, "install", lambda *_: None)
    monkeypatch.setattr(standalone, "raise_limit", lambda: 100_000)
    for name in (
        *("PORT", "HOST", "CALLBACK_URL", "HEARTBEAT_INTERVAL_SECONDS", "SSE_DIALECT"),
        *("SSE_MAX_CONNECTIONS_PER_ADDRESS", "TRUSTED_PROXIES", "SSE_MAX_PENDING_CONNECTS"),
        *("KEEP_ALIVE_SECONDS", "NODE_TLS_REJECT_UNAUTHORIZED", *VARIABLES),
    ):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str, **environment: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(command.gateway_command, arguments, env=environment)


def started(result: Result) -> tuple[dict[str, Any], Front]:
    """gunicorn's settings, and the application that the worker loads."""
    assert result.exit_code == 0, result.output
    (server,) = STARTED
    assert server.ran
    front = server.load()
    assert isinstance(front, Front)
    return server.options, front


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged as an error."""
    return [record.message for record in caplog.records if record.levelno >= logging.ERROR]


def test_environment_alone() -> None:
    """It starts as the Node gateway does: by its environment."""
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
    """An option wins over the environment."""
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
    """Told nothing, it listens on localhost:3000 and has no backend, and says so."""
    checked = []
    monkeypatch.setattr(command, "check_address", lambda *address: checked.append(address))
    options, front = started(run(**empty))
    assert checked == [("localhost", 3000)]
    assert options["bind"][0] == "127.0.0.1:3000"
    assert front.gateway.backend.configured is False
    assert [record.message for record in caplog.records] == [
        "CALLBACK_URL is not set: every stream will be refused with 503"
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
    """A port is an integer in any of the ways in which JavaScript writes one."""
    monkeypatch.setattr(command, "check_address", lambda *_: None)
    options, _ = started(run(PORT=text, HOST="127.0.0.1"))
    assert options["bind"] == [f"127.0.0.1:{port}"]


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "0",
        "70000",
        "65536",
        "-1",
        "8.5",
        "8_0",
        "3000x",
        "0x",
        "٣",
        "1e999",
        "nan",
        "Infinity",
        "-",
        "9" * 5000,
    ],
)
def test_bad_port(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """What is no integer from 1 to 65535 is logged, and ends the program with status 1."""
    result = run(PORT=text)
    assert (result.exit_code, STARTED) == (1, [])
    assert errors(caplog) == [f"PORT must be an integer from 1 to 65535, but it is {text!r}"]


@pytest.mark.parametrize("text", ["abc", "0", "-5", "1.5", "1_0"])
def test_bad_heartbeat(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """A heartbeat interval that is no integer from 1 on is logged, and 15 used."""
    options = run(PORT=str(free_port()), HOST="127.0.0.1", HEARTBEAT_INTERVAL_SECONDS=text)
    _, front = started(options)
    assert front.gateway.config.heartbeat_interval == 15
    assert errors(caplog) == [
        f"HEARTBEAT_INTERVAL_SECONDS must be an integer from 1 on, but it is {text!r}: using 15"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "foo",
        "ftp://x",
        "http://[::1",
        "http://h:99999/",
        "http://h:x/",
        "http://",
        "http://h:0/",
        "//h/cb",
        "http://a b/",
        " ",
    ],
)
def test_bad_callback_url(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """What no request can be sent to is logged, and ends the program: it is never ready."""
    for result in (run(CALLBACK_URL=text), run("--callback-url", text)):
        assert (result.exit_code, STARTED) == (1, [])
    expected = f"CALLBACK_URL must be a URL such as http://host:port/path, but it is {text!r}"
    assert errors(caplog) == [expected] * 2


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
    """Whatever is a URL to Node; gateway_shim.http_client.web_url normalizes it."""
    port = str(free_port())
    _, front = started(run(PORT=port, HOST="127.0.0.1", CALLBACK_URL=text))
    assert isinstance(front.gateway.backend, HttpBackend)
    assert front.gateway.backend._url == text


@pytest.mark.parametrize("variable", VARIABLES)
def test_authorities_that_cannot_be_used(variable: str, caplog: pytest.LogCaptureFixture) -> None:
    """With callbacks to https they end the program; else they are a warning."""
    message = rf"^{variable} names '/no/such'.*, or unset {variable}$"
    environ = {variable: "/no/such", "PORT": str(free_port())}
    result = run(CALLBACK_URL="https://127.0.0.1:1/", **environ)
    assert (result.exit_code, STARTED) == (1, [])
    assert re.search(message, errors(caplog)[0])
    caplog.clear()
    started(run(CALLBACK_URL="http://127.0.0.1:1/", **environ))
    (warning,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert re.search(message, warning.getMessage())


def test_certificates_that_are_not_to_be_checked(caplog: pytest.LogCaptureFixture) -> None:
    """They are checked all the same, and the log says so."""
    settings = {"PORT": str(free_port()), "NODE_TLS_REJECT_UNAUTHORIZED": "0"}
    started(run(CALLBACK_URL="https://127.0.0.1:1/", **settings))
    (message,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert message.startswith("NODE_TLS_REJECT_UNAUTHORIZED is ignored")


@pytest.mark.parametrize("text", ["unix:/run/x.sock", "127.0.0.1:3000", "http://h", "a b"])
def test_bad_host(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be listened at is logged, and ends the program."""
    result = run(HOST=text)
    assert (result.exit_code, STARTED) == (1, [])
    (message,) = errors(caplog)
    assert message.startswith("HOST must be a host name or an IP address")
    assert message.endswith(f", but it is {text!r}")


def test_host_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a URL."""
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
    """How long an idle connection is kept: longer than proxies do, unless something else is set."""
    options, _ = started(run("--port", str(free_port()), *arguments, **environment))
    assert options["keepalive"] == seconds


def test_bad_keep_alive(caplog: pytest.LogCaptureFixture) -> None:
    """A number of seconds that is not an integer from 1 on is logged, and 150 used."""
    options, _ = started(run(PORT=str(free_port()), HOST="127.0.0.1", KEEP_ALIVE_SECONDS="0"))
    assert options["keepalive"] == 150
    assert errors(caplog) == [
        "KEEP_ALIVE_SECONDS must be an integer from 1 on, but it is '0': using 150"
    ]


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
    """Streams per address, and who may name a client, come from the environment alone."""
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
    """How many callbacks may wait comes from the environment, with room for other requests."""
    config = started(run(PORT=str(free_port()), **environment))[1].gateway.config
    assert config.max_pending_connects == pending


def test_bad_proxies(caplog: pytest.LogCaptureFixture) -> None:
    """A proxy that is no address ends the program: the limits would count the wrong clients."""
    assert run(PORT=str(free_port()), TRUSTED_PROXIES="nginx").exit_code == 1
    assert errors(caplog) == [
        "TRUSTED_PROXIES: 'nginx' is not an address, a network such as 10.0.0.0/8, unix or *"
    ]


def test_bad_dialect() -> None:
    """A dialect that there is not is refused with those that there are."""
    result = run(SSE_DIALECT="morse")
    assert (result.exit_code, STARTED) == (2, [])
    assert "'named', 'envelope'" in result.output


def test_taken_port() -> None:
    """A port that is taken is one line, not a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        result = run("--host", "127.0.0.1", "--port", port)
    assert (result.exit_code, STARTED) == (1, [])
    assert result.output == (
        f"Error: cannot listen on 127.0.0.1:{port}: Address already in use;"
        " choose another with --port\n"
    )


def test_python_m(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """``python -m gateway_shim`` is the same command."""
    monkeypatch.setattr(sys, "argv", ["gateway_shim", "--help"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("gateway_shim", run_name="__main__")
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Usage: python -m gateway_shim [OPTIONS]\n")
    # What no option sets is in the help, too: a user of the Node gateway looks for it there.
    limits = ("SSE_MAX_CONNECTIONS_PER_ADDRESS", "SSE_MAX_PENDING_CONNECTS", "TRUSTED_PROXIES")
    lines = [line.split()[0].strip(",") for line in shown.splitlines() if line.startswith("    ")]
    assert {*limits, *VARIABLES} - {*lines, "SSL_CERT_DIR"} == set()
