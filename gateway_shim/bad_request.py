"""What a client is told whose request cannot be read."""

from __future__ import annotations

from ssl import SSLError

from gunicorn.http import errors

from gateway_shim.contract import ErrorCode, Refusal, error_body
from gateway_shim.server_request import MissingHost

__all__ = ["bad_request"]

# Statuses from RFC 9110 and RFC 6585. Classes not named here are 400.
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
        exc: what reading the request raised.

    Returns:
        The answer; None if the request was not what was wrong.
    """
    if isinstance(exc, SSLError):
        return Refusal(400, error_body(ErrorCode.BAD_REQUEST, "Bad request: no valid TLS"))
    if isinstance(exc, MissingHost):
        return Refusal(400, error_body(ErrorCode.BAD_REQUEST, f"Bad request: {exc}"))
    if not isinstance(exc, errors.ParseException) or isinstance(exc, errors.ConfigurationProblem):
        return None
    # The message is ours: gunicorn's repeats what the client sent.
    return Refusal(
        _STATUSES.get(type(exc), 400),
        error_body(ErrorCode.BAD_REQUEST, f"Bad request: {type(exc).__name__}"),
    )
