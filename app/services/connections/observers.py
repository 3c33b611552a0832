"""The functions that are called each time a stream connects, and the connects that call them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent

from gateway_shim.log_lines.safe_text import function_name

__all__ = ["ConnectObserver", "ObservedConnects", "call_observer"]

logger = logging.getLogger(__name__)

ConnectObserver = Callable[[str], None]
"""A function that takes the request id of a stream that has connected."""


class ObservedConnects:
    """The connects whose observers run now, each in the greenlet of its connect.

    What an observer sends to the stream that connects is the state of this stream, and not an event
    that others must get, too. The greenlet tells it from an event that is sent meanwhile.
    """

    def __init__(self) -> None:
        self._request_ids: dict[object, str] = {}

    @contextmanager
    def run(self, request_id: str) -> Iterator[None]:
        """Note that the code in the ``with`` block calls the observers of a connect.

        Args:
            request_id: the request id of the stream that connects.
        """
        here = gevent.getcurrent()
        outer = self._request_ids.get(here)
        self._request_ids[here] = request_id
        try:
            yield
        finally:
            if outer is None:
                del self._request_ids[here]
            else:  # the observer itself has reported a connect
                self._request_ids[here] = outer

    def is_observing(self, request_id: str) -> bool:
        """Return whether an observer of this request id's connect has called, directly or not."""
        return self._request_ids.get(gevent.getcurrent()) == request_id


def call_observer(observer: ConnectObserver, request_id: str) -> None:
    """Call an observer, and log its error if it raises one.

    Args:
        observer: the function, which may be code from outside this package. Its error must not
            end the stream, and the other observers must still be called.
        request_id: the browser's own id for the stream that has connected.
    """
    try:
        observer(request_id)
    except (Exception, gevent.Timeout):
        name = function_name(observer)
        logger.warning(
            "connect observer %s failed",
            name,
            exc_info=True,
            extra={"observer": name, "request_id": request_id},
        )
