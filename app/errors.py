"""The backend's errors, each with its HTTP status.

::

    AppError
    ├── BadRequest                  400  the request contains something that is not allowed
    ├── Unauthorized                401  the request does not carry the secret
    ├── Forbidden                   403  the request is not allowed, with or without the secret
    ├── NotFound                    404  the requested thing does not exist
    ├── InvalidOperationException   409  the state of the thing does not allow the request
    ├── TooBusy                     503  a limit is reached; the request would work later
    ├── Unavailable                 503  another service fails now; the request may work later
    └── NotServing                  503  this kind of server cannot handle the request

The messages are for the person who made the request: they say what is allowed. This module does not
use Flask; :mod:`app.api.errors` turns the errors into answers.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar

from pydantic import ValidationError

__all__ = [
    "AppError",
    "BadRequest",
    "Forbidden",
    "InvalidOperationException",
    "NotFound",
    "NotServing",
    "TooBusy",
    "Unauthorized",
    "Unavailable",
    "limit_details",
    "shortened",
    "validation_details",
]

_MAX_DETAILS = 100
_MAX_FAULTS = 1000
"""The number of faults up to which they are described. pydantic needs 1 µs for each fault, and
cannot be stopped before the last."""

_PART_CHARACTERS = 100
_PARTS = 10
_MESSAGE_CHARACTERS = 300


class AppError(Exception):
    """The root of the backend's errors.

    Args:
        message: one sentence for the caller.
        details: one entry for each fault, for errors that can have several.
    """

    status: ClassVar[int] = HTTPStatus.INTERNAL_SERVER_ERROR
    retry_after_seconds: ClassVar[int | None] = None
    """The time after which the caller should try again; None: unknown."""

    def __init__(self, message: str, details: list[Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class BadRequest(AppError):
    """The request contains something that is not allowed. The message says what is allowed."""

    status = HTTPStatus.BAD_REQUEST


class Unauthorized(AppError):
    """The request does not carry the secret."""

    status = HTTPStatus.UNAUTHORIZED


class Forbidden(AppError):
    """The request is not allowed. The message says what would have to change."""

    status = HTTPStatus.FORBIDDEN


class NotFound(AppError):
    """The requested thing does not exist."""

    status = HTTPStatus.NOT_FOUND


class InvalidOperationException(AppError):
    """The requested thing exists, but its present state does not allow the request."""

    status = HTTPStatus.CONFLICT


class TooBusy(AppError):
    """A limit is reached. The same request would work later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after_seconds = 10


class NotServing(AppError):
    """The process runs in a server that cannot handle the request.

    Args:
        problem: what cannot be done: a sentence without its period. The message adds how to start
            the right server.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"{problem}: start it with `sse-monolith serve`, or with gunicorn and gunicorn.conf.py"
        )


class Unavailable(AppError):
    """A service that the request needs, such as the gateway, does not work at the moment."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


def shortened(text: str, characters: int) -> str:
    """Return a text, cut to a number of characters. A text that was cut ends with an ellipsis."""
    return text if len(text) <= characters else text[:characters] + "…"


def validation_details(exc: ValidationError) -> list[dict[str, Any]]:
    """Return the faults of a pydantic error, ready for JSON and bounded in number and length.

    The refused input is left out, because it may be long or secret. The names of fields come from
    the client, and are cut.

    Returns:
        One entry for each fault. If there are too many faults, the last entry has the number of
        the others as ``more``. If there are over a thousand faults, none is described.
    """
    count = exc.error_count()
    faults = (
        exc.errors(include_url=False, include_context=False, include_input=False)
        if count <= _MAX_FAULTS
        else []
    )
    details = [
        {
            "loc": [_part(part) for part in fault["loc"][:_PARTS]],
            "msg": shortened(fault["msg"], _MESSAGE_CHARACTERS),
            "type": fault["type"],
        }
        for fault in faults[:_MAX_DETAILS]
    ]
    return details if len(details) == count else [*details, _more(count - len(details))]


def limit_details(details: list[Any], max_details: int) -> list[Any]:
    """Shorten a list of details, such as the result of :func:`validation_details`.

    Args:
        details: one entry for each fault. The last entry may have the number of further faults.
        max_details: the number of entries that stay. One more entry has the number of the others.
    """
    left_out = details[max_details:]
    if not left_out:
        return details
    last = left_out[-1]
    further = last.get("more") if isinstance(last, dict) else None
    if isinstance(further, int):
        left_out = left_out[:-1]
    else:
        further = 0
    return [*details[:max_details], _more(len(left_out) + further)]


def _part(part: int | str) -> int | str:
    return shortened(part, _PART_CHARACTERS) if isinstance(part, str) else part


def _more(count: int) -> dict[str, Any]:
    noun = "fault" if count == 1 else "faults"
    return {"loc": [], "msg": f"{count:,} more {noun}", "type": "more", "more": count}
