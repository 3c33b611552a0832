"""The frontend's version as a document that is fetched."""

from __future__ import annotations

import json
import logging
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult

from app.services.frontend_version.fetch import FetchFailed
from app.services.frontend_version.fetched import FAILURE_CACHE_SECONDS, FetchedVersion
from tests.support.http.scripted_server import ScriptedServer, answer
from tests.support.timing import TIME_LIMIT

URL = "https://me:pw@host.example/version.json?key=k"


class Fetch:
    """A fetch whose result the test sets; records the URLs that were fetched."""

    def __init__(self) -> None:
        self.outcome: AsyncResult[dict[str, Any]] = AsyncResult()
        self.urls: list[str] = []

    def __call__(self, url: str) -> Any:
        """Wait for the result."""
        self.urls.append(url)
        return self.outcome.get()

    def return_document(self, document: dict[str, Any]) -> None:
        """Make the next fetches return a document."""
        self.outcome = AsyncResult()
        self.outcome.set(document)

    def fail_with(self, error: Exception) -> None:
        """Make the next fetches raise an error."""
        self.outcome = AsyncResult()
        self.outcome.set_exception(error)


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def fetch() -> Fetch:
    """Return the fake of the network."""
    return Fetch()


@pytest.fixture
def clock() -> Clock:
    """Return the fake clock."""
    return Clock()


@pytest.fixture
def fetched(fetch: Fetch, clock: Clock) -> FetchedVersion:
    """Return the source under test, with a cache of 5 s."""
    return FetchedVersion(URL, 5.0, fetch=fetch, clock=clock)


def test_a_thousand_callers_cause_one_fetch(fetched: FetchedVersion, fetch: Fetch) -> None:
    """Callers that ask while a fetch is running share its result."""
    callers = [gevent.spawn(fetched.current) for _ in range(1000)]
    gevent.sleep(0)
    fetch.outcome.set({"version": "2"})
    gevent.joinall(callers, timeout=TIME_LIMIT, raise_error=True)
    assert fetch.urls == [URL]
    assert {json.dumps(caller.value) for caller in callers} == {'{"version": "2"}'}


def test_the_first_caller_may_leave(fetched: FetchedVersion, fetch: Fetch) -> None:
    """A browser that leaves during the fetch does not take the answer of the others with it."""
    first, second = gevent.spawn(fetched.current), gevent.spawn(fetched.current)
    gevent.sleep(0)
    first.kill()
    fetch.outcome.set({"version": "2"})
    assert second.get(timeout=TIME_LIMIT) == {"version": "2"}
    assert fetch.urls == [URL]


def test_a_document_is_reused_for_its_time(
    fetched: FetchedVersion, fetch: Fetch, clock: Clock
) -> None:
    """A document is fetched again only when the cache time is over."""
    fetch.return_document({"version": "2"})
    versions = [fetched.current()["version"]]
    fetch.return_document({"version": "3"})
    clock.now += 4.9
    versions.append(fetched.current()["version"])
    clock.now += 0.1
    versions.append(fetched.current()["version"])
    assert (versions, len(fetch.urls)) == (["2", "2", "3"], 2)


def test_reading_the_cache_causes_no_fetch(
    fetched: FetchedVersion, fetch: Fetch, clock: Clock
) -> None:
    """The cache has a document or a failure while it is valid, and nothing before and after."""
    assert fetched.cached() is None
    fetch.return_document({"version": "2"})
    fetched.current()
    cached = [fetched.cached()]
    clock.now += 5.0
    cached.append(fetched.cached())
    fetch.fail_with(FetchFailed("no"))
    fetched.current()
    cached.append(fetched.cached())
    assert cached == [{"version": "2"}, None, {"version": "unknown", "error": "no"}]
    assert len(fetch.urls) == 2


def test_without_a_cache_every_call_fetches(fetch: Fetch, clock: Clock) -> None:
    """With a cache time of 0, the result of an earlier fetch is not reused."""
    fetched = FetchedVersion(URL, 0.0, fetch=fetch, clock=clock)
    fetch.return_document({"version": "2"})
    fetched.current()
    fetched.current()
    assert len(fetch.urls) == 2


def test_a_failure_gives_unknown_and_the_reason(
    fetched: FetchedVersion, fetch: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    """Browsers get the reason of a failure; the log also has the URL, without its credentials."""
    fetch.fail_with(FetchFailed("it was refused"))
    assert fetched.current() == {"version": "unknown", "error": "it was refused"}
    (record,) = caplog.records
    assert (record.levelno, vars(record)["url"], vars(record)["reason"]) == (
        logging.WARNING,
        "https://host.example/version.json",
        "it was refused",
    )


def test_a_failure_is_cached_for_some_seconds(
    fetched: FetchedVersion, fetch: Fetch, clock: Clock
) -> None:
    """A dead URL does not cost every connect the time limit, and is fetched again later."""
    fetch.fail_with(FetchFailed("no"))
    versions = [fetched.current()["version"]]
    fetch.return_document({"version": "2"})
    clock.now += FAILURE_CACHE_SECONDS - 0.1
    versions.append(fetched.current()["version"])
    clock.now += 0.1
    versions.append(fetched.current()["version"])
    assert (versions, len(fetch.urls)) == (["unknown", "unknown", "2"], 2)


def test_an_unexpected_error_is_a_failure(
    fetched: FetchedVersion, fetch: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected error reaches the log, but not the browser."""
    fetch.fail_with(ZeroDivisionError("internal"))
    assert fetched.current() == {
        "version": "unknown",
        "error": "the version could not be fetched",
    }
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize("location", ["http://[bad", "http://h:x/", "ftp://h/", "\xff"])
def test_a_redirect_to_a_bad_url_is_a_failure(
    location: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A redirect that cannot be followed has a plain reason, and is logged as a warning only."""
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    with ScriptedServer(answer(head.encode("latin-1"))) as server:
        version = FetchedVersion(f"http://127.0.0.1:{server.port}/", 0.0).current()
    assert version == {
        "version": "unknown",
        "error": "the version document's server could not be reached",
    }
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
