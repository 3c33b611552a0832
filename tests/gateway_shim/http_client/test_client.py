"""Requests to real servers, those that behave and all the others."""

from __future__ import annotations

import functools
import gzip
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import gevent
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
from gateway_shim.http_client.client import MAX_REDIRECTS, HttpClient
from gateway_shim.parity.ports import free_port
from tests.support.http.odd_answers import BAD_SET_COOKIE, INTERIM, NO_ANSWERS, pour_interim
from tests.support.http.scripted_server import Script, ScriptedServer, answer
from tests.support.timing import TIME_LIMIT

SHORT = 0.2
"""A time limit that tests are willing to wait for, seconds."""

OK = b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-Y: z\r\n\r\n{}"


def moved(location: bytes | str, status: int = 307, body: bytes = b"") -> Script:
    """A script: redirect."""
    raw = location.encode() if isinstance(location, str) else location
    head = b"HTTP/1.1 %d Moved\r\nLocation: %b\r\nContent-Length: %d\r\n\r\n"
    return answer(head % (status, raw, len(body)) + body)


def ask(
    server: ScriptedServer,
    path: str = "/x?s=1",
    *,
    method: str = "POST",
    redirects: int = MAX_REDIRECTS,
) -> tuple[int, str, bytes]:
    """Status, phrase and body of what a server answers."""
    body = None if method == "GET" else b"{}"
    with (
        HttpClient(redirects=redirects) as client,
        client.request(
            method,
            f"http://127.0.0.1:{server.port}{path}",
            headers={"Content-Type": "application/json", "X-Own": "1"},
            body=body,
            seconds=TIME_LIMIT,
        ) as got,
    ):
        return got.status, got.reason, got.read(100_000)


def test_a_request() -> None:
    """The answer has its status, phrase, headers and body; the request what it was told."""
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
    """The final answer is the one behind them."""
    with ScriptedServer(answer(interim + OK)) as server:
        assert ask(server) == (200, "Fine", b"{}")


@pytest.mark.parametrize("received", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_no_answer(received: bytes) -> None:
    """What no client can use is an error in one line, without the URL."""
    with ScriptedServer(answer(received)) as server, pytest.raises(RequestFailed) as raised:
        ask(server, "/x?secret=s3cret")
    message = str(raised.value)
    assert message.isprintable()
    assert "s3cret" not in message
    assert not isinstance(raised.value, (AnswerTimeout, BadURL, BadRedirect))


def test_a_flood_of_interim_answers_leaves_the_loop_alone() -> None:
    """An endless one is given up long before its time limit, and others run meanwhile."""
    with ScriptedServer(pour_interim) as server, pytest.raises(RequestFailed, match="100 interim"):
        ask(server)


def test_no_cookie_travels() -> None:
    """What one answer sets, no other request brings; a malformed cookie is not even read."""
    head = OK.replace(b"X-Y: z\r\n", b"Set-Cookie: a=b\r\n" + BAD_SET_COOKIE)
    with ScriptedServer(answer(head), answer(OK)) as server, HttpClient() as client:
        for _ in range(2):
            url = f"http://127.0.0.1:{server.port}/"
            with client.request("GET", url, seconds=TIME_LIMIT) as got:
                got.discard()
    assert b"cookie" not in server.requests[1].lower()


# ------------------------------------------------------------------------- redirects


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
    """As browsers do it: which method, and which headers, depends on the status."""
    with ScriptedServer(moved("/next", status), answer(OK)) as server:
        assert ask(server)[0] == 200
    head = server.requests[1]
    assert head.startswith(method + b" /next HTTP/1.1\r\n")
    assert (b"\r\nContent-Type: " in head) is typed
    assert b"\r\nX-Own: 1\r\n" in head


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_get_stays_one(status: int) -> None:
    """No redirect changes it."""
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
def test_where_a_redirect_leads(location: bytes, target: bytes) -> None:
    """A relative target, and one that is not ASCII, is found."""
    with ScriptedServer(moved(location), answer(OK)) as server:
        assert ask(server, "/a/b?x")[0] == 200
    assert server.requests[1].startswith(b"POST " + target + b" HTTP/1.1\r\n")


@pytest.mark.parametrize("status", [300, 304, 305, 306, 310])
def test_other_statuses_do_not_redirect(status: int) -> None:
    """Whatever their Location says."""
    with ScriptedServer(moved("/next", status)) as server:
        assert ask(server)[0] == status
    assert len(server.requests) == 1


def test_a_redirect_without_a_target_is_an_answer() -> None:
    """There is nothing to follow."""
    with ScriptedServer(answer(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")) as server:
        assert ask(server)[0] == 302


@pytest.mark.parametrize("location", [b"", b"  ", b"#f"])
def test_an_empty_target_is_the_same_url(location: bytes) -> None:
    """It is asked again, as Node's fetch and browsers do."""
    with ScriptedServer(moved(location), answer(OK)) as server:
        assert ask(server)[0] == 200
    assert [head.partition(b" HTTP")[0] for head in server.requests] == [b"POST /x?s=1"] * 2


@pytest.mark.parametrize("location", [b"/next", b"http://[bad", b"\xff\xfe", b"ftp://x/"])
def test_without_redirects_they_are_answers(location: bytes) -> None:
    """Nobody looks where they lead."""
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
def test_a_redirect_to_nowhere(location: bytes) -> None:
    """One error, in one line, and nothing else is asked."""
    with ScriptedServer(moved(location)) as server, pytest.raises(RequestFailed) as raised:
        ask(server)
    assert isinstance(raised.value, BadRedirect)
    assert str(raised.value).startswith("a redirect leads to ")
    assert str(raised.value).isprintable()
    assert len(server.requests) == 1


def test_a_secret_in_a_location_is_not_said() -> None:
    """A server may repeat the query it was asked with."""
    with (
        ScriptedServer(moved("ftp://x/?secret=s3cret")) as server,
        pytest.raises(BadRedirect, match=r"^a redirect leads to 'ftp://x/', which is not an"),
    ):
        ask(server)


@pytest.mark.parametrize("redirects", [1, 3, MAX_REDIRECTS])
def test_too_many_redirects(redirects: int) -> None:
    """A circle ends."""
    with ScriptedServer(*[moved("/again")] * 30) as server:
        with pytest.raises(BadRedirect) as raised:
            ask(server, redirects=redirects)
        assert str(raised.value) == f"more than {redirects} redirects"
    assert len(server.requests) == redirects + 1


@pytest.mark.parametrize(
    "body", [b"Content-Length: 9999\r\n\r\ncut off", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"]
)
def test_the_body_of_a_redirect_does_not_count(body: bytes) -> None:
    """Its head was there."""
    first = answer(b"HTTP/1.1 302 Found\r\nLocation: /next\r\n" + body)
    with ScriptedServer(first, answer(OK)) as server:
        assert ask(server)[0] == 200


def test_a_redirect_with_a_body_without_an_end() -> None:
    """So much of it is read and no more."""

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
    """A password of the URL follows a redirect on its host, and goes nowhere else."""

    def redirect(connection: socket.socket) -> None:
        moved(target.format(port=server.port))(connection)

    with ScriptedServer(redirect, answer(OK)) as server, HttpClient(redirects=1) as client:
        url = f"http://me:secret@127.0.0.1:{server.port}/"
        client.request("GET", url, seconds=TIME_LIMIT).close()
    assert [b"\r\nAuthorization: Basic " in head for head in server.requests] == [True, kept]


@pytest.mark.parametrize("own", ["you:own@", "you@", ":own@"])
def test_a_redirect_to_other_credentials(own: str) -> None:
    """No server chooses whom we are: that redirect is not followed, and its URL not said."""

    def redirect(connection: socket.socket) -> None:
        moved(f"http://{own}127.0.0.1:{server.port}/next")(connection)

    with (
        ScriptedServer(redirect) as server,
        pytest.raises(BadRedirect, match=r"^a redirect leads to a URL with a user name or a pass"),
    ):
        ask(server)
    assert len(server.requests) == 1


# ------------------------------------------------------------------------- no answer


@pytest.mark.parametrize(
    "url",
    [
        "",
        "no url",
        "ftp://127.0.0.1/",
        "http://",
        "http://[::1/",
        "http://\ud800/",
        "http://\0/",
        "http://h:99999/",
        "http://h:x/",
        f"http://{'a' * 70}.example/",
    ],
)
def test_a_url_that_is_none(url: str) -> None:
    """One error, which does not repeat the URL: it may hold a secret."""
    with HttpClient() as client, pytest.raises(BadURL, match="is not an http"):
        client.request("GET", url, seconds=TIME_LIMIT)


def test_nobody_listens() -> None:
    """In the words of the operating system."""
    with HttpClient() as client, pytest.raises(RequestFailed, match=r"^Connection refused$"):
        client.request("GET", f"http://127.0.0.1:{free_port()}/?secret=s", seconds=TIME_LIMIT)


def test_a_reset() -> None:
    """In the words of the operating system, too."""
    with (
        ScriptedServer(answer(reset=True)) as server,
        pytest.raises(RequestFailed, match=r"^Connection reset by peer$"),
    ):
        ask(server)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: ", INTERIM["102"]])
def test_no_answer_in_time(start: bytes) -> None:
    """A head that is not complete in time is one error, however much of it came."""
    hold = threading.Event()
    with ScriptedServer(answer(start, hold=hold)) as server, HttpClient() as client:
        with pytest.raises(AnswerTimeout, match=r"^no answer in time$"):
            client.request("GET", f"http://127.0.0.1:{server.port}/", seconds=SHORT)
        hold.set()


def test_a_body_that_does_not_come() -> None:
    """The time limit is that of each read."""
    hold = threading.Event()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    with ScriptedServer(answer(head, hold=hold)) as server, HttpClient() as client:
        with client.request("GET", f"http://127.0.0.1:{server.port}/", seconds=1.0) as got:
            for read in (got.read, got.read_some):
                with pytest.raises(RequestFailed):
                    read(10)
            got.discard()
        hold.set()


@pytest.mark.parametrize(
    ("head", "body", "words"),
    [
        (b"Content-Length: 10", b"short", "it was cut off in the middle"),
        (b"Transfer-Encoding: chunked", b"5\r\nab", "it was cut off in the middle"),
        (b"Transfer-Encoding: chunked", b"fish\r\n", "it was cut off in the middle"),
        (b"Content-Encoding: gzip\r\nContent-Length: 3", b"xyz", "Received response with content"),
    ],
)
def test_a_body_that_breaks(head: bytes, body: bytes, words: str) -> None:
    """Each is told from the others; nobody who does not look at a body hears of it."""
    raw = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body

    def read_to_end(name: str) -> None:
        with (
            ScriptedServer(answer(raw)) as server,
            HttpClient() as client,
            client.request("GET", f"http://127.0.0.1:{server.port}/", seconds=TIME_LIMIT) as got,
        ):
            while getattr(got, name)(100):
                pass

    for name in ("read", "read_some"):
        with pytest.raises(RequestFailed) as raised:
            read_to_end(name)
        assert str(raised.value).startswith(words)
    with ScriptedServer(answer(raw)) as server, HttpClient() as client:
        client.request("GET", f"http://127.0.0.1:{server.port}/", seconds=TIME_LIMIT).discard()


def test_a_compressed_body() -> None:
    """It is read as what it stands for, and no further than it may be."""
    body = gzip.compress(b"x" * 100_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with ScriptedServer(answer(head + body)) as server, HttpClient() as client:
        url = f"http://127.0.0.1:{server.port}/"
        with client.request("GET", url, seconds=TIME_LIMIT) as got:
            assert got.read(1000) == b"x" * 1000


@pytest.mark.parametrize("given_up", [False, True])
def test_an_outer_time_limit(given_up: bool) -> None:
    """A caller's gevent.Timeout holds at any moment, and leaves the client fit for use."""
    hold = threading.Event()
    with ScriptedServer(answer(hold=hold), answer(OK)) as server, HttpClient() as client:
        url = f"http://127.0.0.1:{server.port}/"
        if given_up:
            with pytest.raises(gevent.Timeout), gevent.Timeout(SHORT):
                client.request("GET", url, seconds=TIME_LIMIT)
        else:
            with pytest.raises(AnswerTimeout):
                client.request("GET", url, seconds=SHORT)
        hold.set()
        assert client.request("GET", url, seconds=TIME_LIMIT).read(10) == b"{}"


# ------------------------------------------------------------------------- connections


def test_connections_are_kept() -> None:
    """Requests one after the other use one connection, if their bodies were read."""
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
    """A proxy counts only where it is asked for."""
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
    """The URL of a server whose certificate a private authority has signed."""
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
    server.stop(timeout=TIME_LIMIT)  # the clients have hung up: no handler outlives this


@pytest.fixture
def authority() -> trustme.CA:
    """A private certificate authority."""
    return trustme.CA()


@pytest.mark.parametrize("environment", [False, True])
def test_a_private_authority(
    environment: bool, authority: trustme.CA, tls_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client trusts it if the environment names it; https is read as http is."""
    with authority.cert_pem.tempfile() as bundle:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
        trusted = client_context(os.environ)
        with (
            HttpClient(environment=environment, context=lambda: trusted) as client,
            client.request("GET", tls_server, seconds=TIME_LIMIT) as got,
        ):
            assert got.read(10) == b"{}"


def test_an_authority_that_nobody_knows(tls_server: str) -> None:
    """Its certificates are refused."""
    with (
        HttpClient(context=lambda: client_context({})) as client,
        pytest.raises(BadCertificate, match="certificate verify failed"),
    ):
        client.request("GET", tls_server, seconds=TIME_LIMIT)


def test_a_file_of_authorities_that_is_not_there() -> None:
    """The request fails, and says which variable is to be mended."""
    context = functools.partial(client_context, {"SSL_CERT_FILE": "/no/such"})
    with HttpClient(context=context) as client, pytest.raises(RequestFailed, match="SSL_CERT_FILE"):
        client.request("GET", "https://127.0.0.1:1/", seconds=TIME_LIMIT)
