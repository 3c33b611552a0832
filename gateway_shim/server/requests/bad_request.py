"""The answer to a request that cannot be parsed."""

from __future__ import annotations

from ssl import SSLError
from typing import Any

from gunicorn.http import errors

from gateway_shim.protocol.http import ErrorCode, Refusal
from gateway_shim.server.requests.header_rules import MissingHost, RepeatedHost

__all__ = ["bad_request", "log_bad_request"]

_SHOWN_CHARACTERS = 200

# Statuses from RFC 9110 and RFC 6585. Every other class is 400.
_STATUSES: dict[type[Exception], int] = {
    errors.ExpectationFailed: 417,
    errors.ForbiddenProxyRequest: 403,
    errors.LimitRequestHeaders: 431,
    errors.LimitRequestLine: 414,
    errors.UnsupportedTransferCoding: 501,
}


def bad_request(exc: BaseException) -> Refusal | None:
    """Translate gunicorn's error into an answer.

    Args:
        exc: the exception that was raised while the request was read.

    Returns:
        The answer; None if the request did not cause the exception.
    """
    if isinstance(exc, SSLError):
        return Refusal(400, ErrorCode.BAD_REQUEST, "Bad request: no valid TLS")
    if isinstance(exc, MissingHost | RepeatedHost):
        return Refusal(400, ErrorCode.BAD_REQUEST, f"Bad request: {exc}")
    if not isinstance(exc, errors.ParseException) or isinstance(exc, errors.ConfigurationProblem):
        return None
    # Do not use gunicorn's message: it repeats bytes that the client sent.
    status = _STATUSES.get(type(exc), 400)
    return Refusal(status, ErrorCode.BAD_REQUEST, f"Bad request: {type(exc).__name__}")


def log_bad_request(log: Any, address: str, refusal: Refusal, exc: BaseException) -> None:
    """Log that a request could not be parsed.

    Args:
        log: gunicorn's logger.
        address: the address of the client.
        refusal: the answer that the client gets.
        exc: the exception that was raised while the request was read.
    """
    extra = {"address": address, "status": refusal.status, "error": str(exc)[:_SHOWN_CHARACTERS]}
    log.warning("bad request", extra=extra)
