"""The errors of the HTTP API as JSON: ``{"error": "a sentence for a person", "details"?: […]}``."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, current_app, jsonify, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from app.errors import AppError, limit_details, shortened, validation_details

__all__ = ["register_error_handlers"]

logger = logging.getLogger(__name__)


_MOST_DETAILS = "MAX_ERROR_DETAILS"
_DEFAULT_DETAILS = 10
_MAX_ANSWER_BYTES = 16 * 1024
_SENTENCE_CHARACTERS = 1000
_PATH_CHARACTERS = 200


def register_error_handlers(app: Flask, max_details: int = _DEFAULT_DETAILS) -> None:
    """Register handlers that answer every error as JSON, including Flask's own errors.

    No answer is longer than 16 KiB, whatever the client has sent.

    Args:
        app: the application.
        max_details: the number of faults that one answer describes.
    """
    app.config[_MOST_DETAILS] = max_details
    app.register_error_handler(AppError, _app_error)
    app.register_error_handler(ValidationError, _validation_error)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(Exception, _unexpected)


def _answer(status: int, message: str, details: list[Any] | None = None) -> Response:
    body: dict[str, Any] = {"error": shortened(message, _SENTENCE_CHARACTERS)}
    if details is not None:
        body["details"] = limit_details(details, current_app.config[_MOST_DETAILS])
    response = jsonify(body)
    if (response.content_length or 0) > _MAX_ANSWER_BYTES and details is not None:
        body["details"] = limit_details(details, 0)
        response = jsonify(body)
    response.status_code = status
    return response


def _app_error(error: AppError) -> Response:
    if error.status >= 500:
        logger.warning("a request was refused", extra={**_request_fields(), "error": error.message})
    response = _answer(error.status, error.message, error.details)
    if error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def _validation_error(error: ValidationError) -> Response:
    return _answer(400, "Invalid payload", validation_details(error))


def _http_exception(error: HTTPException) -> Response | HTTPException:
    if error.response is not None:
        return error  # the code that raised it has chosen this answer
    response = _answer(error.code or 500, _sentence(error))
    # Some statuses need Allow, Retry-After or WWW-Authenticate.
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers.add(name, value)
    return response


def _sentence(error: HTTPException) -> str:
    if type(error) is NotFound:
        return f"There is nothing at {_path()}"
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        return f"{request.method} is not allowed at {_path()}; allowed: {allowed}"
    if isinstance(error, RequestEntityTooLarge) and request.max_content_length is not None:
        return f"The body is larger than {request.max_content_length} bytes"
    return error.description or error.name


def _unexpected(error: Exception) -> Response:
    # The log gets the traceback. The client must not learn about the inside of the server.
    logger.error("a request failed unexpectedly", exc_info=error, extra=_request_fields())
    return _answer(500, "The server failed to handle this request; the cause is in its log")


def _request_fields() -> dict[str, str]:
    return {"method": request.method, "path": _path()}


def _path() -> str:
    return shortened(request.path, _PATH_CHARACTERS)
