"""``/console/login`` and ``/console/logout``: how a person gets a session, and ends it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from dependency_injector.wiring import Provide
from flask import Blueprint, Response, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from app.api.injection import inject
from app.console.attempts import Attempts
from app.console.links import link_to, page_or_first
from app.console.rendering import render
from app.console.session import COOKIE, LIFETIME_SECONDS, Sessions
from app.container import ServiceContainer
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = ["blueprint"]

logger = logging.getLogger(__name__)

blueprint = Blueprint("console_login", __name__)

_MAX_FORM_BYTES = 16 * 1024


@blueprint.get("/console/login")
@inject
def show(
    sessions: Sessions = Provide[ServiceContainer.console_sessions],
) -> ResponseReturnValue:
    """Return the form, or lead to the page that was asked for if the form is not needed."""
    page = page_or_first(request.args.get("next"))
    if not sessions.are_needed or sessions.is_valid(request.cookies.get(COOKIE)):
        return redirect(link_to(page), 303)
    return _form(page)


@blueprint.post("/console/login")
@inject
def sign_in(
    sessions: Sessions = Provide[ServiceContainer.console_sessions],
    attempts: Attempts = Provide[ServiceContainer.console_attempts],
    refusals: RefusalCounts = Provide[ServiceContainer.refusals],
    limit_key: Callable[[str], str] = Provide[ServiceContainer.limit_key],
) -> ResponseReturnValue:
    """Check the password, and lead to the page that was asked for."""
    request.max_content_length = _MAX_FORM_BYTES
    page = page_or_first(request.form.get("next"))
    if not sessions.are_needed:
        return redirect(link_to(page), 303)
    client = request.remote_addr or ""
    key = limit_key(client)
    # A right password is refused, too: otherwise the limit would not slow down a guesser.
    seconds = math.ceil(attempts.seconds_to_wait(key))
    if seconds:
        refusals.add(RefusalReason.SIGN_IN)
        response = _form(
            page, f"Too many wrong passwords. Try again in {seconds} seconds.", status=429
        )
        response.headers["Retry-After"] = str(seconds)
        return response
    if not sessions.is_password(request.form.get("password", "")):
        attempts.note_wrong(key)
        refusals.add(RefusalReason.SIGN_IN)
        logger.warning("wrong password for the console", extra={"address": client})
        return _form(page, "The password is wrong. Type it again.", status=403)
    logger.info("somebody signed in to the console", extra={"address": client})
    answer = redirect(link_to(page), 303)
    answer.set_cookie(
        COOKIE,
        sessions.new_cookie(),
        max_age=LIFETIME_SECONDS,
        path="/",
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )
    return answer


@blueprint.post("/console/logout")
def sign_out() -> ResponseReturnValue:
    """Remove the cookie, and lead to the form."""
    response = redirect(link_to("/console/login"), 303)
    response.delete_cookie(
        COOKIE, path="/", secure=request.is_secure, httponly=True, samesite="Strict"
    )
    return response


@blueprint.get("/console/api/session")
@inject
def show_session(
    sessions: Sessions = Provide[ServiceContainer.console_sessions],
) -> ResponseReturnValue:
    """Return whether the browser may use the console, for scripts of pages without a session."""
    cookie = request.cookies.get(COOKIE)
    return jsonify(signed_in=not sessions.are_needed or sessions.is_valid(cookie))


def _form(page: str, error: str = "", *, status: int = 200) -> Response:
    return render("console/login.html", status, page=page, error=error)
