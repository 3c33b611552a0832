"""The frontend's version as a source at a URL: :class:`FetchedVersion`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import gevent

from app.services.frontend_version.fetch import FetchFailed, fetch_json
from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread

__all__ = ["FAILURE_CACHE_SECONDS", "FetchedVersion"]

logger = logging.getLogger(__name__)

FAILURE_CACHE_SECONDS = 5.0
"""The time for which a failed fetch is reused. Otherwise a dead URL would delay every version
event by 2 s."""


class FetchedVersion:
    """The JSON object at a URL as a ``VersionSource``: fetched on demand, and cached.

    A thousand callers that ask at the same time cause one fetch and share its result. The fetch
    runs in its own greenlet, so the other callers still get the result if the first caller is
    killed.

    Args:
        url: the URL of the document.
        cache_seconds: the time for which a fetched document is reused. With 0, only callers that
            ask while a fetch is running share its result.
        fetch: gets a URL, returns the document, raises :class:`FetchFailed`.
        clock: monotonic seconds.
        loop_thread: runs the calls of other threads in the event loop's thread.
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
        self._document: dict[str, Any] | None = None  # the result of the last fetch
        self._good_until = 0.0  # the end of the time for which the document is reused
        self._running_fetch: gevent.Greenlet[[], dict[str, Any]] | None = None

    @from_any_thread
    def cached(self) -> dict[str, Any] | None:
        """Return the result of the last fetch, or None if it is no longer valid."""
        return self._document if self._clock() < self._good_until else None

    @from_any_thread
    def current(self) -> dict[str, Any]:
        """Return the document, or ``{"version": "unknown", "error": …}``; fetch it if needed."""
        # Everything before get() is atomic: no other greenlet runs in between.
        document = self.cached()
        if document is not None:
            return document
        if self._running_fetch is None:
            self._running_fetch = gevent.spawn(self._fetch_and_store)
        return self._running_fetch.get()

    def _fetch_and_store(self) -> dict[str, Any]:
        document, valid_seconds = self._fetch_or_describe()
        self._document = document
        self._good_until = self._clock() + valid_seconds
        self._running_fetch = None
        return document

    def _fetch_or_describe(self) -> tuple[dict[str, Any], float]:
        """Return the document or a description of the failure, and how long it is valid."""
        try:
            return self._fetch(self._url), self._cache_seconds
        except FetchFailed as exc:
            reason = str(exc)
            logger.warning(
                "the frontend's version could not be fetched",
                extra={"url": _without_secrets(self._url), "reason": reason},
            )
        except Exception:
            # An unexpected error of a library must reach neither the browser nor a waiting connect.
            reason = "the version could not be fetched"
            logger.exception(reason, extra={"url": _without_secrets(self._url)})
        return {"version": "unknown", "error": reason}, FAILURE_CACHE_SECONDS


def _without_secrets(url: str) -> str:
    """Return a URL without user name, password and query, for the log."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
