"""Tests of the gateway's command with settings that cannot work."""

from __future__ import annotations

import logging
import re
import socket

import pytest

from gateway_shim.http_client.certificates import VARIABLES
from gateway_shim.parity.ports import free_port
from tests.gateway_shim.standalone.command_runs import STARTED, errors, run, started

pytestmark = pytest.mark.usefixtures("no_gunicorn")


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
    """A port that is not an integer from 1 to 65535 is logged; the program ends with status 1."""
    result = run(PORT=text)
    assert (result.exit_code, STARTED) == (1, [])
    assert errors(caplog) == [f"PORT must be an integer from 1 to 65535, but it is {text!r}"]


@pytest.mark.parametrize("text", ["abc", "0", "-5", "1.5", "1_0"])
def test_bad_heartbeat(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """A heartbeat interval that is not an integer of at least 1 is logged; 15 is used."""
    options = run(PORT=str(free_port()), HOST="127.0.0.1", HEARTBEAT_INTERVAL_SECONDS=text)
    _, front = started(options)
    assert front.gateway.config.heartbeat_interval == 15
    assert errors(caplog) == [
        f"HEARTBEAT_INTERVAL_SECONDS must be an integer of at least 1, but it is {text!r}; using 15"
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
    """A callback URL that cannot be used is logged and ends the program."""
    for result in (run(CALLBACK_URL=text), run("--callback-url", text)):
        assert (result.exit_code, STARTED) == (1, [])
    expected = f"CALLBACK_URL must be a URL such as http://host:port/path, but it is {text!r}"
    assert errors(caplog) == [expected] * 2


@pytest.mark.parametrize("variable", VARIABLES)
def test_authorities_that_cannot_be_used(variable: str, caplog: pytest.LogCaptureFixture) -> None:
    """Unusable authorities end the program if callbacks go to https, else they are a warning."""
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
    """NODE_TLS_REJECT_UNAUTHORIZED=0 is ignored with a warning."""
    settings = {"PORT": str(free_port()), "NODE_TLS_REJECT_UNAUTHORIZED": "0"}
    started(run(CALLBACK_URL="https://127.0.0.1:1/", **settings))
    (message,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert message.startswith("NODE_TLS_REJECT_UNAUTHORIZED is ignored")


@pytest.mark.parametrize("text", ["unix:/run/x.sock", "127.0.0.1:3000", "http://h", "a b"])
def test_bad_host(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """A host that cannot be listened on is logged and ends the program."""
    result = run(HOST=text)
    assert (result.exit_code, STARTED) == (1, [])
    (message,) = errors(caplog)
    assert message.startswith("HOST must be a host name or an IP address")
    assert message.endswith(f", but it is {text!r}")


@pytest.mark.parametrize(
    ("options", "environment"),
    [(["--workers", "2"], "1"), ([], "4"), ([], "x"), (["--workers", "0"], "")],
)
def test_several_workers(
    caplog: pytest.LogCaptureFixture, options: list[str], environment: str
) -> None:
    """More than one worker is refused with the reason, also if a platform asks for it."""
    result = run(*options, PORT=str(free_port()), WEB_CONCURRENCY=environment)
    assert (result.exit_code, STARTED) == (1, [])
    (message,) = errors(caplog)
    assert message.startswith("the gateway on a port has one worker, but --workers or WEB_")
    assert "would not know the streams of the first" in message


def test_one_worker() -> None:
    """One worker is what the gateway has, so it may be asked for."""
    options, _ = started(run("--workers", "1", PORT=str(free_port()), WEB_CONCURRENCY="8"))
    assert options["workers"] == 1


def test_bad_keep_alive(caplog: pytest.LogCaptureFixture) -> None:
    """An idle time that is not an integer of at least 1 is logged; 150 is used."""
    options, _ = started(run(PORT=str(free_port()), HOST="127.0.0.1", KEEP_ALIVE_SECONDS="0"))
    assert options["keepalive"] == 150
    assert errors(caplog) == [
        "KEEP_ALIVE_SECONDS must be an integer of at least 1, but it is '0'; using 150"
    ]


def test_bad_proxies(caplog: pytest.LogCaptureFixture) -> None:
    """A proxy that is not an address ends the program, because limits would count wrong clients."""
    assert run(PORT=str(free_port()), TRUSTED_PROXIES="nginx").exit_code == 1
    assert errors(caplog) == [
        "TRUSTED_PROXIES: 'nginx' is not an address, a network such as 10.0.0.0/8, unix or *"
    ]


def test_bad_dialect() -> None:
    """An unknown dialect is refused with a message that names the known ones."""
    result = run(SSE_DIALECT="morse")
    assert (result.exit_code, STARTED) == (2, [])
    assert "'named', 'envelope'" in result.output


def test_taken_port() -> None:
    """A port that is in use is one line of error, not a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        result = run("--host", "127.0.0.1", "--port", port)
    assert (result.exit_code, STARTED) == (1, [])
    assert result.output == (
        f"Error: cannot listen on 127.0.0.1:{port}: Address already in use;"
        " choose another with --port\n"
    )
