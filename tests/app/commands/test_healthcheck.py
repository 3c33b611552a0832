"""The command ``healthcheck``."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result

from app.commands.healthcheck import healthcheck_command, own_url, problem
from app.config import Settings
from gateway_shim.parity.ports import free_port
from tests.support.http.odd_answers import INTERIM, NO_ANSWERS
from tests.support.http.scripted_server import ScriptedServer
from tests.support.timing import TIME_LIMIT

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def answering(
    answer: bytes, context: ssl.SSLContext | None = None
) -> Iterator[tuple[int, list[bytes]]]:
    """Serve one answer to one request; yield the port and the list of request lines."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                try:
                    if context is not None:
                        client = context.wrap_socket(client, server_side=True)
                    asked.append(client.recv(4096).split(b"\r\n")[0])
                    client.sendall(answer)
                    client.close()
                except OSError:
                    pass  # the client refused our certificate

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], asked
        thread.join(TIME_LIMIT)


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(healthcheck_command, arguments, prog_name="healthcheck")


@pytest.mark.parametrize(
    ("host", "certfile", "admin", "url"),
    [
        ("127.0.0.1", None, None, "http://127.0.0.1:81/healthz"),
        ("0.0.0.0", None, None, "http://127.0.0.1:81/healthz"),
        ("::", None, None, "http://127.0.0.1:81/healthz"),
        ("localhost", "cert.pem", None, "https://localhost:81/healthz"),
        ("0.0.0.0", None, "127.0.0.1:82", "http://127.0.0.1:82/healthz"),
        ("0.0.0.0", "cert.pem", "[::]:82", "https://127.0.0.1:82/healthz"),
    ],
)
def test_own_url(host: str, certfile: str | None, admin: str | None, url: str) -> None:
    """The URL of a server on this machine uses ADMIN_BIND if it is set."""
    settings = Settings.model_construct(host=host, port=81, certfile=certfile, admin_bind=admin)
    assert own_url(settings) == url


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", b"GET /healthz HTTP/1.1"),
        ("/readyz", b"GET /readyz HTTP/1.1"),
        ("/x?y=1", b"GET /x?y=1 HTTP/1.1"),
    ],
)
def test_what_is_asked(path: str, line: bytes) -> None:
    """The path of the URL is requested; without a path, /healthz is requested."""
    with answering(OK) as (port, asked):
        assert problem(f"http://127.0.0.1:{port}{path}", 5, verify=True) is None
    assert asked == [line]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "answers 503"),
        (b"SSH-2.0\r\n", "sends an invalid answer: the server's answer is not HTTP/1: 'SSH-2.0'"),
        (b"", "does not answer: Remote end closed connection without response"),
    ],
)
def test_another_answer(answer: bytes, expected: str) -> None:
    """Any answer except 200 is a problem, and the problem names the answer."""
    with answering(answer) as (port, _):
        assert problem(f"http://127.0.0.1:{port}", 5, verify=True) == expected


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_interim_answers_are_skipped(interim: bytes) -> None:
    """Interim answers are skipped, and the final answer decides."""
    for final, found in ((OK, None), (b"HTTP/1.1 503 No\r\n\r\n", "answers 503")):
        with answering(interim + final) as (port, _):
            assert problem(f"http://127.0.0.1:{port}", 5, verify=True) == found


@pytest.mark.parametrize("received", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_no_answer(received: bytes) -> None:
    """A malformed answer is a problem that is reported in one line."""
    with answering(received) as (port, _):
        found = problem(f"http://127.0.0.1:{port}", 5, verify=True) or ""
    assert found.startswith(("does not answer: ", "sends an invalid answer: "))
    assert found.isprintable()


@pytest.mark.parametrize("location", [b"/x", b"http://[bad"])
def test_a_redirect_is_another_answer(location: bytes) -> None:
    """A redirect is not followed, because another server would be checked."""
    head = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n\r\n"
    with answering(head) as (port, _):
        assert problem(f"http://127.0.0.1:{port}", 5, verify=True) == "answers 302"


def test_interim_answers_without_an_end() -> None:
    """The time limit holds even if interim answers arrive slowly."""

    def drip(connection: socket.socket) -> None:
        while True:
            connection.sendall(INTERIM["102"])
            time.sleep(0.01)

    with ScriptedServer(drip) as server:
        found = problem(f"http://127.0.0.1:{server.port}", 0.2, verify=True)
    assert found == "does not answer within 0.2 s"


def test_silence() -> None:
    """A server that sends nothing is a problem after the time limit."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = problem(f"http://127.0.0.1:{port}", 0.05, verify=True)
    assert found == "does not answer within 0.05 s"


@pytest.mark.parametrize("url", ["ftp://x", "http://", "nonsense", "http://x:y", "http://[::1"])
def test_no_url(url: str) -> None:
    """An invalid URL is a problem and not an exception."""
    assert (problem(url, 1, verify=True) or "").startswith("is not an http(s) URL")


@pytest.mark.parametrize("verify", [False, True])
def test_an_unknown_authority(verify: bool) -> None:
    """A certificate of an unknown authority is a problem if it is verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("gw.example").configure_cert(context)
    with answering(OK, context) as (port, _):
        found = problem(f"https://127.0.0.1:{port}", 5, verify=verify)
    if verify:
        assert found is not None
        assert "certificate verify failed" in found
    else:
        assert found is None


def test_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without ``--url``, the server of this environment is asked."""
    monkeypatch.chdir(tmp_path)
    with answering(OK) as (port, _):
        monkeypatch.setenv("PORT", str(port))
        monkeypatch.setenv("HOST", "0.0.0.0")
        monkeypatch.setenv("ALLOW_OPEN", "tasks,metrics")
        result = run()
    assert (result.exit_code, result.output) == (0, f"ok: http://127.0.0.1:{port}/healthz\n")


def test_a_refused_connection() -> None:
    """A refused connection ends with status 1 and one line."""
    url = f"http://127.0.0.1:{free_port()}"
    result = run("--url", url)
    assert (result.exit_code, result.output) == (
        1,
        f"Error: {url} does not answer: Connection refused\n",
    )


def test_an_invalid_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An invalid setting is an error, except with ``--url``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "x")
    assert run().output.startswith("Error: PORT: ")
    with answering(OK) as (port, _):
        assert run("--url", f"http://127.0.0.1:{port}").exit_code == 0
