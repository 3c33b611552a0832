"""The backend's errors: what went wrong, and the HTTP status that says so.

::

    AppError
    ├── BadRequest                  400  the caller sent something that is not allowed
    ├── Unauthorized                401  the caller did not show the secret
    ├── Forbidden                   403  the caller may not do this, whatever it shows
    ├── NotFound                    404  there is nothing under that name
    ├── InvalidOperationException   409  it exists, but its state does not allow this
    ├── TooBusy                     503  a limit is reached; later it would work
    ├── Unavailable                 503  what this needs does not work now; later it would
    └── NotServing                  503  this kind of server cannot do it; another would

A message is for the person who made the call: it says what is allowed. Nothing here knows
Flask; :mod:`app.api.errors` turns these into answers.
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

_MOST_DETAILS = 100
_MOST_FAULTS = 1000
"""Faults that are looked at one by one: pydantic needs 1 µs for each, and has no way to stop."""

_PART_CHARACTERS = 100
_PARTS = 10
_MESSAGE_CHARACTERS = 300


class AppError(Exception):
    """The root of the backend's errors.

    Args:
        message: one sentence for the caller.
        details: one entry for each thing that is wrong, where there can be several.
    """

    status: ClassVar[int] = HTTPStatus.INTERNAL_SERVER_ERROR
    retry_after_seconds: ClassVar[int | None] = None
    """When the same call is worth another try; None: that is not known."""

    def __init__(self, message: str, details: list[Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class BadRequest(AppError):
    """The caller sent something that is not allowed; the message says what is."""

    status = HTTPStatus.BAD_REQUEST


class Unauthorized(AppError):
    """The caller did not show the secret."""

    status = HTTPStatus.UNAUTHORIZED


class Forbidden(AppError):
    """The caller may not do this; the message says what would have to change."""

    status = HTTPStatus.FORBIDDEN


class NotFound(AppError):
    """There is nothing under that name."""

    status = HTTPStatus.NOT_FOUND


class InvalidOperationException(AppError):
    """The thing exists, but its present state does not allow this."""

    status = HTTPStatus.CONFLICT


class TooBusy(AppError):
    """A limit is reached; the same call would work later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after_seconds = 10


class NotServing(AppError):
    """The process runs in a server that cannot do this.

    Args:
        what: what cannot be done, a sentence without a period; how to serve is added.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: start it with `sse-monolith serve`, or with gunicorn and gunicorn.conf.py"
        )


class Unavailable(AppError):
    """Something that the call needs, such as the gateway, does not work at the moment."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


def shortened(text: str, characters: int) -> str:
    """Cut a text that a client has a hand in; one that was cut ends with an ellipsis."""
    return text if len(text) <= characters else text[:characters] + "…"


def validation_details(exc: ValidationError) -> list[dict[str, Any]]:
    """Describe what a pydantic error found: JSON-ready entries of bounded number and length.

    The refused input is left out: it may be long, and it may be a secret. Names of fields are
    the client's and are cut.

    Returns:
        One entry for each fault, of which those that are too many are one last entry, with their
        number as ``more``. Of more than a thousand faults none is described.
    """
    count = exc.error_count()
    faults = (
        exc.errors(include_url=False, include_context=False, include_input=False)
        if count <= _MOST_FAULTS
        else []
    )
    details = [
        {
            "loc": [_part(part) for part in fault["loc"][:_PARTS]],
            "msg": shortened(fault["msg"], _MESSAGE_CHARACTERS),
            "type": fault["type"],
        }
        for fault in faults[:_MOST_DETAILS]
    ]
    return details if len(details) == count else [*details, _more(count - len(details))]


def limit_details(details: list[Any], most: int) -> list[Any]:
    """Cut a list of details, such as those of :func:`validation_details`.

    Args:
        details: one entry for each fault; the last one may say how many there are besides.
        most: entries that stay; one more says how many were left out.
    """
    left_out = details[most:]
    if not left_out:
        return details
    last = left_out[-1]
    besides = last.get("more") if isinstance(last, dict) else None
    if isinstance(besides, int):
        left_out = left_out[:-1]
    else:
        besides = 0
    return [*details[:most], _more(len(left_out) + besides)]


def _part(part: int | str) -> int | str:
    return shortened(part, _PART_CHARACTERS) if isinstance(part, str) else part


def _more(count: int) -> dict[str, Any]:
    noun = "fault" if count == 1 else "faults"
    return {"loc": [], "msg": f"{count:,} more {noun}", "type": "more", "more": count}
