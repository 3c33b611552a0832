"""Tests of requests through the environment, with our answers and without its redirects."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
import trustme

from gateway_shim.http_client.answer import HttpAnswer
from gateway_shim.http_client.request import HttpRequest
from gateway_shim.http_client.session import HttpSession
from gateway_shim.http_client.web_url import parse_web_url
from tests.support.http.odd_answers import BAD_SET_COOKIE, INTERIM
from tests.support.http.scripted_server import ScriptedServer, answer
from tests.support.timing import TIME_LIMIT, wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextlib.contextmanager
def session() -> Iterator[HttpSession]:
    """Make a session."""
    http = HttpSession(connections=1)
    yield http
    http.close()


def get(http: HttpSession, url: str) -> HttpAnswer:
    """Make a request; use the answer as a context manager."""
    return http.request(HttpRequest("GET", parse_web_url(url), {}, None, TIME_LIMIT, TIME_LIMIT))


def test_answers_are_final_ones() -> None:
    """Interim answers are skipped."""
    with (
        ScriptedServer(answer(INTERIM["103_with_headers"] + OK)) as server,
        session() as http,
        get(http, f"http://127.0.0.1:{server.port}/") as got,
    ):
        assert (got.status, got.read(10)) == (200, b"{}")


def test_a_connection_too_many_is_closed_without_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One of two simultaneous connections is kept; the other is closed without a log line."""
    both_ask = threading.Barrier(2)
    closed = []

    def script(connection: socket.socket) -> None:
        both_ask.wait(TIME_LIMIT)
        connection.sendall(OK)
        connection.settimeout(TIME_LIMIT)
        closed.append(connection.recv(1))

    with ScriptedServer(script, script) as server, session() as http:

        def ask() -> None:
            with get(http, f"http://127.0.0.1:{server.port}/") as got:
                got.read(10)

        asking = [threading.Thread(target=ask) for _ in range(2)]
        for each in asking:
            each.start()
        for each in asking:
            each.join(TIME_LIMIT)
        wait_until(lambda: closed == [b""], "the connection too many to be closed")
    assert [record.message for record in caplog.records] == []


def test_an_answer_of_a_proxy_is_a_final_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interim answers of a proxy are skipped, too."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with ScriptedServer(answer(INTERIM["103_with_headers"] + OK)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        with session() as http, get(http, "http://gw.example/") as got:
            assert got.status == 200
    assert proxy.requests[0].startswith(b"GET http://gw.example/ HTTP/1.1\r\n")


def test_a_tunnel_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interim answers are skipped both of the proxy of a tunnel and of the server behind it."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("gw.example").configure_cert(context)
    asked = []

    def tunnel(connection: socket.socket) -> None:
        connection.sendall(INTERIM["102"] + b"HTTP/1.1 200 Connected\r\n\r\n")
        with context.wrap_socket(connection, server_side=True) as inside:
            asked.append(inside.recv(65536))
            inside.sendall(INTERIM["103_with_headers"] + OK)

    with ScriptedServer(tunnel) as proxy, authority.cert_pem.tempfile() as bundle:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
        with session() as http, get(http, "https://gw.example/x") as got:
            assert (got.status, got.read(10)) == (200, b"{}")
    assert proxy.requests[0].startswith(b"CONNECT gw.example:443 HTTP/1.")
    assert asked[0].startswith(b"GET /x HTTP/1.1\r\n")


@pytest.mark.parametrize("location", [b"/next", b"http://[", b"\xff\xfe"])
def test_a_redirect_is_an_answer(location: bytes) -> None:
    """A redirect is returned as an answer, and its target is not parsed."""
    head = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location
    with (
        ScriptedServer(answer(head)) as server,
        session() as http,
        get(http, f"http://127.0.0.1:{server.port}/") as got,
    ):
        assert got.status == 302
    assert len(server.requests) == 1


def test_close_idle() -> None:
    """Closing idle connections does nothing."""
    with session() as http:
        assert http.close_idle() == 0


def test_no_cookie_jar_is_asked() -> None:
    """Cookies are not kept; a cookie that breaks a cookie jar does no harm."""
    head = OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n" + BAD_SET_COOKIE + b"\r\n")
    with (
        ScriptedServer(answer(head)) as server,
        session() as http,
        get(http, f"http://127.0.0.1:{server.port}/") as got,
    ):
        got.read(10)
        assert len(http._session.cookies) == 0


def test_credentials_of_the_url() -> None:
    """The credentials of the URL are sent as Basic authorization."""
    with ScriptedServer(answer(OK)) as server, session() as http:
        get(http, f"http://u:p@127.0.0.1:{server.port}/").discard()
    assert b"\r\nAuthorization: Basic dTpw\r\n" in server.requests[0]
