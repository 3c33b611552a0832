"""Tests of the HTTP client: redirects."""

from __future__ import annotations

import socket

import pytest

from gateway_shim.errors import (
    BadRedirect,
    RequestFailed,
)
from gateway_shim.http_client.client import HttpClient
from gateway_shim.http_client.redirects import CALLBACK_REDIRECTS
from tests.gateway_shim.http_client.requests_to_scripts import OK, ask, moved
from tests.support.http.scripted_server import ScriptedServer, answer
from tests.support.timing import TIME_LIMIT


@pytest.mark.parametrize(
    ("status", "method", "typed"),
    [
        (301, b"GET", False),
        (302, b"GET", False),
        (303, b"GET", False),
        (307, b"POST", True),
        (308, b"POST", True),
    ],
)
def test_a_redirect_is_followed(status: int, method: bytes, typed: bool) -> None:
    """The method and the headers after a redirect depend on its status, as in browsers."""
    with ScriptedServer(moved("/next", status), answer(OK)) as server:
        assert ask(server)[0] == 200
    head = server.requests[1]
    assert head.startswith(method + b" /next HTTP/1.1\r\n")
    assert (b"\r\nContent-Type: " in head) is typed
    assert b"\r\nX-Own: 1\r\n" in head


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_get_stays_a_get(status: int) -> None:
    """A GET stays a GET after every redirect."""
    with ScriptedServer(moved("/next", status), answer(OK)) as server:
        ask(server, method="GET")
    assert server.requests[1].startswith(b"GET /next ")


@pytest.mark.parametrize(
    ("location", "target"),
    [
        (b"?q", b"/a/b?q"),
        (b"../c#f", b"/c"),
        (b"/\xc3\xa9", b"/%C3%A9"),
        (b"/\xff", b"/%EF%BF%BD"),
        (b"/%41%2f%zz", b"/%41%2f%zz"),
        (b"\\x\\y", b"/x/y"),
        (b"/a|b^`'?c='|", b"/a|b^%60'?c=%27|"),
        (b"/a b", b"/a%20b"),
    ],
)
def test_targets(location: bytes, target: bytes) -> None:
    """A target may be relative, and may contain characters outside of ASCII."""
    with ScriptedServer(moved(location), answer(OK)) as server:
        assert ask(server, "/a/b?x")[0] == 200
    assert server.requests[1].startswith(b"POST " + target + b" HTTP/1.1\r\n")


@pytest.mark.parametrize("status", [300, 304, 305, 306, 310])
def test_other_statuses_do_not_redirect(status: int) -> None:
    """A status that is not a redirect is returned, whatever its Location is."""
    with ScriptedServer(moved("/next", status)) as server:
        assert ask(server)[0] == status
    assert len(server.requests) == 1


def test_a_redirect_without_a_target_is_an_answer() -> None:
    """A redirect without a Location is returned as the answer."""
    with ScriptedServer(answer(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")) as server:
        assert ask(server)[0] == 302


@pytest.mark.parametrize("location", [b"", b"  ", b"#f"])
def test_an_empty_target_is_the_same_url(location: bytes) -> None:
    """An empty target means the same URL, as in browsers and Node's fetch."""
    with ScriptedServer(moved(location), answer(OK)) as server:
        assert ask(server)[0] == 200
    assert [head.partition(b" HTTP")[0] for head in server.requests] == [b"POST /x?s=1"] * 2


@pytest.mark.parametrize("location", [b"/next", b"http://[bad", b"\xff\xfe", b"ftp://x/"])
def test_a_client_without_redirects(location: bytes) -> None:
    """A client that follows no redirects returns them as answers."""
    with ScriptedServer(moved(location)) as server:
        assert ask(server, redirects=0)[0] == 307


@pytest.mark.parametrize(
    "location",
    [
        b"http://[bad",
        b"http://[::1",
        b"http://h:port/",
        b"http://h:99999/",
        b"ftp://127.0.0.1/",
        b"file:///etc/passwd",
        b"javascript:alert(1)",
        b"mailto:a@b",
        b"http://" + b"a" * 70 + b".example/",
        b"http://a..b/",
    ],
)
def test_a_redirect_to_an_invalid_url(location: bytes) -> None:
    """A redirect to an invalid URL is an error in one line; no other request is made."""
    with ScriptedServer(moved(location)) as server, pytest.raises(RequestFailed) as raised:
        ask(server)
    assert isinstance(raised.value, BadRedirect)
    assert str(raised.value).startswith("a redirect leads to ")
    assert str(raised.value).isprintable()
    assert len(server.requests) == 1


def test_a_secret_in_a_location_is_not_shown() -> None:
    """An error about a redirect does not show the query of its target."""
    with (
        ScriptedServer(moved("ftp://x/?secret=s3cret")) as server,
        pytest.raises(BadRedirect, match=r"^a redirect leads to 'ftp://x/', which is not an"),
    ):
        ask(server)


@pytest.mark.parametrize("redirects", [1, 3, CALLBACK_REDIRECTS])
def test_too_many_redirects(redirects: int) -> None:
    """A circle of redirects ends with an error."""
    with ScriptedServer(*[moved("/again")] * 30) as server:
        with pytest.raises(BadRedirect) as raised:
            ask(server, redirects=redirects)
        assert str(raised.value) == f"more than {redirects} redirects"
    assert len(server.requests) == redirects + 1


@pytest.mark.parametrize(
    "body", [b"Content-Length: 9999\r\n\r\ncut off", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"]
)
def test_the_body_of_a_redirect_does_not_count(body: bytes) -> None:
    """A redirect whose body is broken is followed."""
    first = answer(b"HTTP/1.1 302 Found\r\nLocation: /next\r\n" + body)
    with ScriptedServer(first, answer(OK)) as server:
        assert ask(server)[0] == 200


def test_a_redirect_with_a_body_without_an_end() -> None:
    """The endless body of a redirect is read up to a limit."""

    def gush(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 302 F\r\nLocation: /next\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with ScriptedServer(gush, answer(OK)) as server:
        assert ask(server)[0] == 200


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("/next", True),
        ("http://127.0.0.1:{port}/next", True),
        ("http://localhost:{port}/next", False),
    ],
)
def test_credentials_stay_with_their_host(target: str, kept: bool) -> None:
    """A password of the URL follows redirects on its host only."""

    def redirect(connection: socket.socket) -> None:
        moved(target.format(port=server.port))(connection)

    with ScriptedServer(redirect, answer(OK)) as server, HttpClient(redirects=1) as client:
        url = f"http://me:secret@127.0.0.1:{server.port}/"
        client.request("GET", url, seconds=TIME_LIMIT).close()
    assert [b"\r\nAuthorization: Basic " in head for head in server.requests] == [True, kept]


@pytest.mark.parametrize("own", ["you:own@", "you@", ":own@"])
def test_a_redirect_to_other_credentials(own: str) -> None:
    """A redirect to a URL with credentials is not followed, and the error does not show its URL."""

    def redirect(connection: socket.socket) -> None:
        moved(f"http://{own}127.0.0.1:{server.port}/next")(connection)

    with (
        ScriptedServer(redirect) as server,
        pytest.raises(BadRedirect, match=r"^a redirect leads to a URL with a user name or a pass"),
    ):
        ask(server)
    assert len(server.requests) == 1
