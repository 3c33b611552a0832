"""The backend's errors: what went wrong, and the HTTP status that says so.

::

    AppError
    ├── BadRequest                  400  the caller sent something that is not allowed
    ├── Unauthorized                401  the caller did not show the secret
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
    "InvalidOperationException",
    "NotFound",
    "NotServing",
    "TooBusy",
    "Unauthorized",
    "Unavailable",
    "validation_details",
]


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


def validation_details(exc: ValidationError) -> list[dict[str, Any]]:
    """What a pydantic error found, one JSON-ready entry for each fault.

    The refused input is left out: it may be long, and it may be a secret.
    """
    return [
        {"loc": list(error["loc"]), "msg": error["msg"], "type": error["type"]}
        for error in exc.errors(include_url=False, include_context=False, include_input=False)
    ]
