"""The fetch of the frontend's version document, over HTTP on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal
from gevent.pywsgi import WSGIServer

from app.services.frontend_version.fetch import FetchFailed, fetch_json
from tests.support.http.odd_answers import BAD_SET_COOKIE, INTERIM, NO_ANSWERS
from tests.support.http.scripted_server import ScriptedServer
from tests.support.http.scripted_server import answer as answer_bytes

Application = Callable[[dict[str, Any], Any], Any]


@pytest.fixture
def serve() -> Iterator[Callable[[Application], str]]:
    """Return a function that serves a WSGI application on a free port until the test ends."""
    servers: list[WSGIServer] = []

    def start(application: Application) -> str:
        server = WSGIServer(("127.0.0.1", 0), application, log=None, error_log=None)
        server.start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/version.json"

    yield start
    for server in servers:
        server.stop(timeout=0)


def answer(status: str, *body: bytes, **headers: str) -> Application:
    """Return a WSGI application that always gives the same answer."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(status, list(headers.items()))
        return body

    return application


def test_an_object_is_fetched(serve: Callable[[Application], str]) -> None:
    """A JSON object is returned whole, whatever its Content-Type is."""
    url = serve(answer("200 OK", b'{"version":"2",', b'"build":{"n":1}}', Server="x"))
    assert fetch_json(url) == {"version": "2", "build": {"n": 1}}


def test_redirects_are_followed(serve: Callable[[Application], str]) -> None:
    """A document that has moved is fetched from its new URL."""
    target = serve(answer("200 OK", b'{"version":"2"}'))
    assert fetch_json(serve(answer("302 Found", Location=target))) == {"version": "2"}


@pytest.mark.parametrize(
    ("application", "reason"),
    [
        (answer("404 Not Found", b"{}"), "the version document's server answered 404"),
        (answer("500 No", b"{}"), "the version document's server answered 500"),
        (answer("200 OK", b""), "the version document is not JSON"),
        (answer("200 OK", b"<html>"), "the version document is not JSON"),
        (answer("200 OK", b'{"version":NaN}'), "the version document is not JSON"),
        (answer("200 OK", b"\xff\xfe{"), "the version document is not JSON"),
        (answer("200 OK", b"[" * 60_000), "the version document is not JSON"),
        (answer("200 OK", b'"2"'), "the version document is not a JSON object"),
        (answer("200 OK", b" " * 65_537), "the version document is larger than 65536 bytes"),
        (
            answer("302 Found", Location="http://127.0.0.1:1/"),
            "the version document's server could not be reached",
        ),
    ],
)
def test_a_bad_document_is_refused(
    serve: Callable[[Application], str], application: Application, reason: str
) -> None:
    """Anything but a JSON object of a reasonable size is a failure with a plain reason."""
    with pytest.raises(FetchFailed) as caught:
        fetch_json(serve(application))
    assert str(caught.value) == reason


def test_an_object_of_the_largest_size_is_accepted(serve: Callable[[Application], str]) -> None:
    """A document of exactly the largest size is accepted."""
    body = b'{"version":"2"}'.ljust(65_536)
    assert fetch_json(serve(answer("200 OK", body))) == {"version": "2"}


def test_a_silent_server_is_given_up(serve: Callable[[Application], str]) -> None:
    """A server that does not answer within the time limit is a failure."""
    never = Signal()

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        never.wait()

    with pytest.raises(FetchFailed, match=r"did not come within 0\.05 s"):
        fetch_json(serve(application), seconds=0.05)


def test_a_slow_body_is_given_up(serve: Callable[[Application], str]) -> None:
    """The time limit is that of the whole fetch: single bytes do not extend it."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        while True:
            yield b" "
            gevent.sleep(0.01)

    with pytest.raises(FetchFailed, match=r"did not come within 0\.1 s"):
        fetch_json(serve(application), seconds=0.1)


def test_the_environment_is_ignored(
    serve: Callable[[Application], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy variable of the environment changes nothing."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert fetch_json(serve(answer("200 OK", b"{}"))) == {}


@pytest.mark.parametrize("url", ["http://[broken", "http://\0/", f"http://{'a' * 70}.example/"])
def test_a_malformed_url_is_a_failure(url: str) -> None:
    """A URL that cannot be used is a server that could not be reached."""
    with pytest.raises(FetchFailed, match="could not be reached"):
        fetch_json(url)


GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"version":"2"}'


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_interim_answers_are_skipped(interim: bytes) -> None:
    """The document is the body of the final answer."""
    with ScriptedServer(answer_bytes(interim + GOOD)) as server:
        assert fetch_json(f"http://127.0.0.1:{server.port}/") == {"version": "2"}


@pytest.mark.parametrize("received", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_an_unusable_answer_is_a_failure(received: bytes) -> None:
    """An answer that is not usable HTTP counts as a server that could not be reached."""
    with (
        ScriptedServer(answer_bytes(received)) as server,
        pytest.raises(FetchFailed, match="could not be reached"),
    ):
        fetch_json(f"http://127.0.0.1:{server.port}/")


def test_a_malformed_cookie_is_not_read() -> None:
    """A malformed cookie changes nothing: a cookie jar would warn of it, with a traceback."""
    head = GOOD.replace(b"OK\r\n", b"OK\r\n" + BAD_SET_COOKIE)
    with ScriptedServer(answer_bytes(head)) as server:
        assert fetch_json(f"http://127.0.0.1:{server.port}/") == {"version": "2"}


@pytest.mark.parametrize("body", [b"5\r\nab", b"zz\r\n"])
def test_a_body_that_breaks_off_is_a_failure(body: bytes) -> None:
    """A document that is cut off is a failure with a plain reason."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        ScriptedServer(answer_bytes(head + body)) as server,
        pytest.raises(FetchFailed, match="could not be reached"),
    ):
        fetch_json(f"http://127.0.0.1:{server.port}/")
