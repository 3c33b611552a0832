"""Which version the frontend has."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event
from gevent.pywsgi import WSGIServer

from app.config import Settings
from app.program.version import application_version
from app.services import frontend_version
from app.services.frontend_version import (
    FetchedVersion,
    FetchFailed,
    OwnVersion,
    fetch_json,
    version_source,
)
from tests.support.http.odd_answers import BAD_SET_COOKIE, INTERIM, NO_ANSWERS
from tests.support.http.scripted_server import ScriptedServer
from tests.support.http.scripted_server import answer as answer_bytes
from tests.support.timing import TIME_LIMIT

URL = "https://me:pw@host.example/version.json?key=k"


class Fetch:
    """A fetch whose outcome the test decides; counts its calls."""

    def __init__(self) -> None:
        self.outcome: AsyncResult[dict[str, Any]] = AsyncResult()
        self.urls: list[str] = []

    def __call__(self, url: str) -> Any:
        """Wait for the outcome."""
        self.urls.append(url)
        return self.outcome.get()

    def returns(self, document: dict[str, Any]) -> None:
        """Let the next fetches return a document."""
        self.outcome = AsyncResult()
        self.outcome.set(document)

    def fails(self, error: Exception) -> None:
        """Let the next fetches raise."""
        self.outcome = AsyncResult()
        self.outcome.set_exception(error)


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """What time it is."""
        return self.now


@pytest.fixture
def fetch() -> Fetch:
    """What stands for the network."""
    return Fetch()


@pytest.fixture
def clock() -> Clock:
    """What stands for time."""
    return Clock()


@pytest.fixture
def fetched(fetch: Fetch, clock: Clock) -> FetchedVersion:
    """The source under test, with a cache of 5 s."""
    return FetchedVersion(URL, 5.0, fetch=fetch, clock=clock)


def test_a_thousand_cause_one_fetch(fetched: FetchedVersion, fetch: Fetch) -> None:
    """All who ask while a fetch is under way share its outcome."""
    askers = [gevent.spawn(fetched.current) for _ in range(1000)]
    gevent.sleep(0)
    fetch.outcome.set({"version": "2"})
    gevent.joinall(askers, timeout=TIME_LIMIT, raise_error=True)
    assert fetch.urls == [URL]
    assert {json.dumps(asker.value) for asker in askers} == {'{"version": "2"}'}


def test_the_first_to_ask_may_leave(fetched: FetchedVersion, fetch: Fetch) -> None:
    """A browser that goes away during the fetch does not take the others' answer with it."""
    first, second = gevent.spawn(fetched.current), gevent.spawn(fetched.current)
    gevent.sleep(0)
    first.kill()
    fetch.outcome.set({"version": "2"})
    assert second.get(timeout=TIME_LIMIT) == {"version": "2"}
    assert fetch.urls == [URL]


def test_a_document_is_reused_for_its_time(
    fetched: FetchedVersion, fetch: Fetch, clock: Clock
) -> None:
    """Within the cache's time nothing is fetched; after it the document is fetched again."""
    fetch.returns({"version": "2"})
    versions = [fetched.current()["version"]]
    fetch.returns({"version": "3"})
    clock.now += 4.9
    versions.append(fetched.current()["version"])
    clock.now += 0.1
    versions.append(fetched.current()["version"])
    assert (versions, len(fetch.urls)) == (["2", "2", "3"], 2)


def test_what_is_known_causes_no_fetch(fetched: FetchedVersion, fetch: Fetch, clock: Clock) -> None:
    """A document or a failure is known while it stands, and nothing before and after that."""
    assert fetched.known() is None
    fetch.returns({"version": "2"})
    fetched.current()
    known = [fetched.known()]
    clock.now += 5.0
    known.append(fetched.known())
    fetch.fails(FetchFailed("no"))
    fetched.current()
    known.append(fetched.known())
    assert known == [{"version": "2"}, None, {"version": "unknown", "error": "no"}]
    assert len(fetch.urls) == 2


def test_without_a_cache_every_ask_fetches(fetch: Fetch, clock: Clock) -> None:
    """A cache time of 0 reuses nothing that is over."""
    fetched = FetchedVersion(URL, 0.0, fetch=fetch, clock=clock)
    fetch.returns({"version": "2"})
    fetched.current()
    fetched.current()
    assert len(fetch.urls) == 2


def test_a_failure_says_unknown_and_why(
    fetched: FetchedVersion, fetch: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    """Browsers get the reason; the log also the URL, without its credentials."""
    fetch.fails(FetchFailed("it was refused"))
    assert fetched.current() == {"version": "unknown", "error": "it was refused"}
    (record,) = caplog.records
    assert (record.levelno, vars(record)["url"], vars(record)["reason"]) == (
        logging.WARNING,
        "https://host.example/version.json",
        "it was refused",
    )


def test_a_failure_stands_for_a_moment(fetched: FetchedVersion, fetch: Fetch, clock: Clock) -> None:
    """A dead URL does not cost every connect its time limit, and is asked again later."""
    fetch.fails(FetchFailed("no"))
    versions = [fetched.current()["version"]]
    fetch.returns({"version": "2"})
    clock.now += frontend_version.FAILURE_CACHE_SECONDS - 0.1
    versions.append(fetched.current()["version"])
    clock.now += 0.1
    versions.append(fetched.current()["version"])
    assert (versions, len(fetch.urls)) == (["unknown", "unknown", "2"], 2)


def test_a_librarys_surprise_is_a_failure_too(
    fetched: FetchedVersion, fetch: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unforeseen error reaches the log, not the browser."""
    fetch.fails(ZeroDivisionError("internal"))
    assert fetched.current() == {
        "version": "unknown",
        "error": "the version could not be fetched",
    }
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_own_version() -> None:
    """Without a URL the application's own version is the current one."""
    assert OwnVersion().current() == {"version": application_version()}


def test_the_settings_choose_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """FRONTEND_VERSION_URL and its cache time decide."""
    monkeypatch.setattr(frontend_version, "fetch_json", lambda url: {"version": url})
    own = version_source(Settings(_env_file=None))
    fetched = version_source(Settings(_env_file=None, frontend_version_url="http://v/"))
    assert isinstance(own, OwnVersion)
    assert fetched.current() == {"version": "http://v/"}


# ------------------------------------------------------------------ over real HTTP, on loopback


Application = Callable[[dict[str, Any], Any], Any]


@pytest.fixture
def serve() -> Iterator[Callable[[Application], str]]:
    """Serve a WSGI application on a free port until the test ends."""
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
    """An application that always answers the same."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(status, list(headers.items()))
        return body

    return application


def test_fetches_an_object(serve: Callable[[Application], str]) -> None:
    """A JSON object is returned whole, whatever its type says."""
    url = serve(answer("200 OK", b'{"version":"2",', b'"build":{"n":1}}', Server="x"))
    assert fetch_json(url) == {"version": "2", "build": {"n": 1}}


def test_follows_redirects(serve: Callable[[Application], str]) -> None:
    """The document may have moved."""
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
def test_refuses(
    serve: Callable[[Application], str], application: Application, reason: str
) -> None:
    """Whatever is not a JSON object of a reasonable size is a failure with a plain reason."""
    with pytest.raises(FetchFailed) as caught:
        fetch_json(serve(application))
    assert str(caught.value) == reason


def test_an_object_of_the_largest_size_is_taken(serve: Callable[[Application], str]) -> None:
    """The bound is the last size that is accepted."""
    body = b'{"version":"2"}'.ljust(65_536)
    assert fetch_json(serve(answer("200 OK", body))) == {"version": "2"}


def test_a_silent_server_is_given_up(serve: Callable[[Application], str]) -> None:
    """No answer within the time limit is a failure."""
    never = Event()

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        never.wait()

    with pytest.raises(FetchFailed, match=r"did not come within 0\.05 s"):
        fetch_json(serve(application), seconds=0.05)


def test_a_dripping_server_is_given_up(serve: Callable[[Application], str]) -> None:
    """The limit is the whole fetch's, not one read's: a byte now and then does not help."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        while True:
            yield b" "
            gevent.sleep(0.01)

    with pytest.raises(FetchFailed, match=r"did not come within 0\.1 s"):
        fetch_json(serve(application), seconds=0.1)


def test_the_environment_is_not_asked(
    serve: Callable[[Application], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the settings say where things are: a proxy variable changes nothing."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert fetch_json(serve(answer("200 OK", b"{}"))) == {}


@pytest.mark.parametrize("url", ["http://[broken", "http://\0/", f"http://{'a' * 70}.example/"])
def test_a_url_that_is_none(url: str) -> None:
    """A failure like any other."""
    with pytest.raises(FetchFailed, match="could not be reached"):
        fetch_json(url)


GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"version":"2"}'


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_interim_answers_are_skipped(interim: bytes) -> None:
    """The document is that of the final answer."""
    with ScriptedServer(answer_bytes(interim + GOOD)) as server:
        assert fetch_json(f"http://127.0.0.1:{server.port}/") == {"version": "2"}


@pytest.mark.parametrize("received", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_no_answer(received: bytes) -> None:
    """What no client can use is a server that was not reached."""
    with (
        ScriptedServer(answer_bytes(received)) as server,
        pytest.raises(FetchFailed, match="could not be reached"),
    ):
        fetch_json(f"http://127.0.0.1:{server.port}/")


@pytest.mark.parametrize("location", ["http://[bad", "http://h:x/", "ftp://h/", "\xff"])
def test_a_redirect_to_nowhere(
    serve: Callable[[Application], str], location: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A failure with a plain reason; not one that a library raised unforeseen."""
    url = serve(answer("302 Found", Location=location))
    version = FetchedVersion(url, 0.0).current()
    assert version == {
        "version": "unknown",
        "error": "the version document's server could not be reached",
    }
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_malformed_cookie_is_not_read() -> None:
    """A cookie jar would warn of it, with a traceback."""
    head = GOOD.replace(b"OK\r\n", b"OK\r\n" + BAD_SET_COOKIE)
    with ScriptedServer(answer_bytes(head)) as server:
        assert fetch_json(f"http://127.0.0.1:{server.port}/") == {"version": "2"}


@pytest.mark.parametrize("body", [b"5\r\nab", b"zz\r\n"])
def test_a_body_that_breaks(body: bytes) -> None:
    """A document that is cut off is none, and no surprise either."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        ScriptedServer(answer_bytes(head + body)) as server,
        pytest.raises(FetchFailed, match="could not be reached"),
    ):
        fetch_json(f"http://127.0.0.1:{server.port}/")
