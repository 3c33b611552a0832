"""Translates the errors below an HTTP client into ours: :func:`request_failure`."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator

import urllib3

from gateway_shim.errors import AnswerTimeout, BadCertificate, RequestFailed

__all__ = ["request_failure"]


def request_failure(error: Exception) -> RequestFailed:
    """Translate an error of a library into an error of ours.

    The libraries wrap an error several times. The innermost cause that is known decides.

    Args:
        error: an error of sockets, :mod:`http.client`, urllib3 or requests.
    """
    deepest: BaseException = error
    for cause in _chain(error):
        match cause:
            case urllib3.exceptions.NewConnectionError():
                continue  # urllib3 derives this class from its time-out; the cause comes next
            case ssl.SSLCertVerificationError():
                return BadCertificate(cause.strerror or str(cause))
            case TimeoutError() | urllib3.exceptions.TimeoutError():
                return AnswerTimeout("no answer in time")
            case OSError(strerror=str() as words):
                return RequestFailed(words)
            case http.client.IncompleteRead() | urllib3.exceptions.IncompleteRead():
                return RequestFailed("the answer was cut off in the middle")
            case urllib3.exceptions.DecodeError():
                return RequestFailed(str(cause.args[0]))
            case http.client.HTTPException():
                return RequestFailed(str(cause))
            case _:
                deepest = cause
    # The text of the outermost error is not used, because it may contain the URL.
    return RequestFailed(str(deepest))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """List an error, its cause, the cause of this cause, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
