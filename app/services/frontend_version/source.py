"""The sources of the frontend's current version: the application itself, or a URL."""

from __future__ import annotations

from typing import Any, Protocol

from app.config import Settings
from app.program.version import application_version
from gateway_shim.event_loop.loop_thread import LoopThread

__all__ = ["OwnVersion", "VersionSource", "version_source"]


class VersionSource(Protocol):
    """A source of the current version. No method raises."""

    def cached(self) -> dict[str, Any] | None:
        """Return the document that :meth:`current` would return at once; None if it would wait."""
        ...

    def current(self) -> dict[str, Any]:
        """Return the data of a ``version`` event. May block cooperatively for some seconds.

        The object is shared: callers must not change it.
        """
        ...


def version_source(settings: Settings, loop_thread: LoopThread | None = None) -> VersionSource:
    """Return the source that the settings name: ``FRONTEND_VERSION_URL``, or the application.

    Args:
        settings: the backend's settings.
        loop_thread: runs the calls of other threads in the event loop's thread.
    """
    if settings.frontend_version_url is None:
        return OwnVersion()
    # Not at the top: importing the HTTP client takes 80 ms, and few servers need it.
    from app.services.frontend_version.fetched import FetchedVersion

    return FetchedVersion(
        settings.frontend_version_url,
        settings.frontend_version_cache_seconds,
        loop_thread=loop_thread,
    )


class OwnVersion:
    """The application's own version as a :class:`VersionSource`."""

    def __init__(self) -> None:
        self._document = {"version": application_version()}

    def cached(self) -> dict[str, Any]:
        """Return ``{"version": …}``."""
        return self._document

    def current(self) -> dict[str, Any]:
        """Return ``{"version": …}``."""
        return self._document
