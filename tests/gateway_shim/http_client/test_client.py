"""Tests of the HTTP client: requests, interim answers, connections, certificates."""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Callable, Iterator

import pytest
import trustme
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer

from gateway_shim.errors import (
    AnswerTimeout,
    BadCertificate,
    BadRedirect,
    BadURL,
    RequestFailed,
)
from gateway_shim.http_client.certificates import client_context
from gateway_shim.http_client.client import HttpClient
from gateway_shim.parity.ports import free_port
from tests.gateway_shim.http_client.requests_to_scripts import OK, ask
from tests.support.http.odd_answers import BAD_SET_COOKIE, INTERIM, NO_ANSWERS, pour_interim
from tests.support.http.scripted_server import ScriptedServer, answer
from tests.support.timing import TIME_LIMIT


def test_a_request() -> None:
    """A request is sent as it was given, and the answer has status, phrase, headers and body."""
    with ScriptedServer(answer(OK)) as server, HttpClient() as client:
        url = f"http://me:p%40ss@127.0.0.1:{server.port}/a?b=c"
        with client.request(
            "POST", url, headers={"X-B": b"\xc3\xa9"}, body=b"{}", seconds=TIME_LIMIT
        ) as got:
            assert (got.status, got.reason, got.headers["x-y"]) == (200, "Fine", "z")
            assert got.read(100) == b"{}"
    head = server.requests[0]
    assert head.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert b"\r\nX-B: \xc3\xa9\r\n" in head
    assert b"\r\nAuthorization: Basic bWU6cEBzcw==\r\n" in head


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_interim_answers_are_skipped(interim: bytes) -> None:
    """Interim answers are skipped, and the final answer is returned."""
    with ScriptedServer(answer(interim + OK)) as server:
        assert ask(server) == (200, "Fine", b"{}")


@pytest.mark.parametrize("received", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_no_answer(received: bytes) -> None:
    """An answer that no client can use is an error in one line, without the URL."""
    with ScriptedServer(answer(received)) as server, pytest.raises(RequestFailed) as raised:
        ask(server, "/x?secret=s3cret")
    message = str(raised.value)
    assert message.isprintable()
    assert "s3cret" not in message
    assert not isinstance(raised.value, (AnswerTimeout, BadURL, BadRedirect))


def test_a_flood_of_interim_answers_leaves_the_loop_alone() -> None:
    """An endless flood of interim answers ends early, and other greenlets run meanwhile."""
    with ScriptedServer(pour_interim) as server, pytest.raises(RequestFailed, match="100 interim"):
        ask(server)


def test_no_cookie_travels() -> None:
    """A cookie of one answer is not sent with another request; a malformed cookie is ignored."""
    head = OK.replace(b"X-Y: z\r\n", b"Set-Cookie: a=b\r\n" + BAD_SET_COOKIE)
    with ScriptedServer(answer(head), answer(OK)) as server, HttpClient() as client:
        for _ in range(2):
            url = f"http://127.0.0.1:{server.port}/"
            with client.request("GET", url, seconds=TIME_LIMIT) as got:
                got.discard()
    assert b"cookie" not in server.requests[1].lower()


def test_connections_are_kept() -> None:
    """Requests in a row use one connection if the bodies of their answers were read."""
    peers = set()

    def application(environ: dict[str, str], start_response: Callable[..., object]) -> list[bytes]:
        peers.add(environ["REMOTE_PORT"])
        start_response("200 OK", [("Content-Length", "2"), ("Set-Cookie", "a=b")])
        return [b"{}"]

    server = WSGIServer(("127.0.0.1", 0), application, log=None)
    server.start()
    with HttpClient() as client:
        for _ in range(5):
            url = f"http://127.0.0.1:{server.server_port}/"
            with client.request("GET", url, seconds=TIME_LIMIT) as got:
                got.discard()
    server.stop(timeout=0)
    assert len(peers) == 1


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment is used only if the environment is asked for."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with ScriptedServer(answer(OK)) as server:
        assert ask(server)[0] == 200
        with HttpClient(environment=True) as client, pytest.raises(RequestFailed):
            client.request("GET", f"http://127.0.0.1:{server.port}/", seconds=TIME_LIMIT)
    assert len(server.requests) == 1


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[str]:
    """Run a server whose certificate is signed by a private authority; yield its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def script(environ: dict[str, str], start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"{}"]

    server = WSGIServer(
        ("127.0.0.1", 0), script, log=None, error_log=None, ssl_context=context, spawn=Pool(10)
    )
    server.start()
    yield f"https://127.0.0.1:{server.server_port}/"
    server.stop(timeout=TIME_LIMIT)  # the clients have closed, so no handler is left


@pytest.fixture
def authority() -> trustme.CA:
    """Make a private certificate authority."""
    return trustme.CA()


@pytest.mark.parametrize("environment", [False, True])
def test_a_private_authority(
    environment: bool, authority: trustme.CA, tls_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client trusts a private authority that the environment names."""
    with authority.cert_pem.tempfile() as bundle:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
        trusted = client_context(os.environ)
        with (
            HttpClient(environment=environment, context=lambda: trusted) as client,
            client.request("GET", tls_server, seconds=TIME_LIMIT) as got,
        ):
            assert got.read(10) == b"{}"


def test_an_unknown_authority(tls_server: str) -> None:
    """A certificate of an unknown authority is refused."""
    with (
        HttpClient(context=lambda: client_context({})) as client,
        pytest.raises(BadCertificate, match="certificate verify failed"),
    ):
        client.request("GET", tls_server, seconds=TIME_LIMIT)


def test_a_missing_file_of_authorities() -> None:
    """A missing file of authorities fails the request; the error names the variable."""
    context = functools.partial(client_context, {"SSL_CERT_FILE": "/no/such"})
    with HttpClient(context=context) as client, pytest.raises(RequestFailed, match="SSL_CERT_FILE"):
        client.request("GET", "https://127.0.0.1:1/", seconds=TIME_LIMIT)
