"""The functions that are called each time a stream connects."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent

from gateway_shim.log_lines.safe_text import function_name

__all__ = ["ConnectObserver", "call_observer"]

logger = logging.getLogger(__name__)

ConnectObserver = Callable[[str], None]
"""A function that takes the request id of a stream that has connected."""


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
