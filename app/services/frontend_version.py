"""Which version the frontend has: fetched once for everybody who asks at the same time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

import gevent

from app.config import Settings
from app.program.version import application_version
from gateway_shim.errors import AnswerTimeout, RequestFailed
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread
from gateway_shim.http_client.client import MAX_REDIRECTS, HttpAnswer, HttpClient
from gateway_shim.protocol import json_text

__all__ = [
    "FetchFailed",
    "FetchedVersion",
    "OwnVersion",
    "VersionSource",
    "fetch_json",
    "version_source",
]

logger = logging.getLogger(__name__)

FETCH_SECONDS = 2.0
"""The whole of a fetch, from looking up the name to the last byte."""

MAX_DOCUMENT_BYTES = 64 * 1024

FAILURE_CACHE_SECONDS = 5.0
"""A failed fetch stands this long: else a dead URL would cost every connect its 2 s."""


class VersionSource(Protocol):
    """Knows the current version; never raises."""

    def known(self) -> dict[str, Any] | None:
        """Return what :meth:`current` would return without waiting; None if it would wait."""
        ...

    def current(self) -> dict[str, Any]:
        """Return the data of a ``version`` event; may block cooperatively for some seconds.

        The object is shared: the caller does not change it.
        """
        ...


class FetchFailed(Exception):
    """The version document could not be had; the message is fit for any browser."""


def version_source(settings: Settings, loop_thread: LoopThread | None = None) -> VersionSource:
    """The source that the settings ask for: ``FRONTEND_VERSION_URL``, or the application itself.

    Args:
        settings: the backend's settings.
        loop_thread: carries out the calls of other threads.
    """
    if settings.frontend_version_url is None:
        return OwnVersion()
    return FetchedVersion(
        settings.frontend_version_url,
        settings.frontend_version_cache_seconds,
        loop_thread=loop_thread,
    )


class OwnVersion:
    """The application's own version."""

    def __init__(self) -> None:
        self._document = {"version": application_version()}

    def known(self) -> dict[str, Any]:
        """``{"version": …}``."""
        return self._document

    def current(self) -> dict[str, Any]:
        """``{"version": …}``."""
        return self._document


class FetchedVersion:
    """The JSON object at a URL, fetched when somebody asks and kept for a few seconds.

    A thousand who ask at once cause one fetch and share its outcome. It runs in a greenlet of
    its own: whoever asked first may leave without taking the others' answer with him.

    Args:
        url: where the document is.
        cache_seconds: how long a fetched document is reused; with 0 only those who ask while
            a fetch is under way share it.
        fetch: gets a URL, returns the document, raises :class:`FetchFailed`.
        clock: monotonic seconds.
        loop_thread: carries out the calls of other threads.
    """

    def __init__(
        self,
        url: str,
        cache_seconds: float,
        *,
        fetch: Callable[[str], dict[str, Any]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        loop_thread: LoopThread | None = None,
    ) -> None:
        self.loop_thread = loop_thread or LoopThread()
        self._url = url
        self._cache_seconds = cache_seconds
        self._fetch = fetch or fetch_json
        self._clock = clock
        self._document: dict[str, Any] | None = None
        self._good_until = 0.0
        self._flight: gevent.Greenlet[[], dict[str, Any]] | None = None

    @from_any_thread
    def known(self) -> dict[str, Any] | None:
        """The document or the failure that was fetched last, while it stands; else None."""
        return self._document if self._clock() < self._good_until else None

    @from_any_thread
    def current(self) -> dict[str, Any]:
        """The document, or ``{"version": "unknown", "error": …}``; waits for a fetch if it must."""
        # All of this is atomic: nothing switches greenlets before get().
        document = self.known()
        if document is not None:
            return document
        if self._flight is None:
            self._flight = gevent.spawn(self._fly)
        return self._flight.get()

    def _fly(self) -> dict[str, Any]:
        document, keep = self._outcome()
        self._document = document
        self._good_until = self._clock() + keep
        self._flight = None
        return document

    def _outcome(self) -> tuple[dict[str, Any], float]:
        """The document, and for how many seconds it stands."""
        try:
            return self._fetch(self._url), self._cache_seconds
        except FetchFailed as exc:
            reason = str(exc)
            logger.warning(
                "the frontend's version could not be fetched",
                extra={"url": _without_secrets(self._url), "reason": reason},
            )
        except Exception:
            # A library's surprise must reach neither the browser nor a connect that waits here.
            reason = "the version could not be fetched"
            logger.exception(reason, extra={"url": _without_secrets(self._url)})
        return {"version": "unknown", "error": reason}, FAILURE_CACHE_SECONDS


def fetch_json(url: str, *, seconds: float = FETCH_SECONDS) -> dict[str, Any]:
    """Fetch a JSON object.

    Args:
        url: http or https; redirects are followed.
        seconds: time limit of the whole, name lookup and a dripping body included.

    Raises:
        FetchFailed: it took too long, was refused, was too large, or is no JSON object.
    """
    try:
        # The client limits each step; this limit is for all of them.
        with (
            gevent.Timeout(seconds),
            HttpClient(redirects=MAX_REDIRECTS) as client,
            client.request(
                "GET", url, headers={"Accept": "application/json"}, seconds=seconds
            ) as answer,
        ):
            if answer.status >= 400:
                raise FetchFailed(f"the version document's server answered {answer.status}")
            body = _read(answer)
    except (gevent.Timeout, AnswerTimeout) as exc:
        raise FetchFailed(f"the version document did not come within {seconds:g} s") from exc
    except RequestFailed as exc:
        # Not the exception's own text: it names hosts and URLs, and browsers get to read this.
        raise FetchFailed("the version document's server could not be reached") from exc
    return _object(body)


def _read(answer: HttpAnswer) -> bytes:
    body = answer.read(MAX_DOCUMENT_BYTES + 1)
    if len(body) > MAX_DOCUMENT_BYTES:
        raise FetchFailed(f"the version document is larger than {MAX_DOCUMENT_BYTES} bytes")
    return body


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json_text.loads(body)
    except (ValueError, RecursionError) as exc:
        raise FetchFailed("the version document is not JSON") from exc
    if not isinstance(document, dict):
        raise FetchFailed("the version document is not a JSON object")
    return document


def _without_secrets(url: str) -> str:
    """The URL without user name, password and query, for the log."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
