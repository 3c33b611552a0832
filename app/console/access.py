"""Decides who may use the console, before any view runs.

1. The console must be served at the address that the request came to
   (:class:`~app.access.exposure.OpenAreas`).
2. The host must be a name of this server.
3. Writes, and all requests for JSON, must come from own pages, whatever ``CORS_ORIGINS`` allows.
   Bodies for JSON must be JSON.
4. With ``SSE_CONSOLE_PASSWORD``, everything but the form and the static files needs a session.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from urllib.parse import urlencode

from flask import Flask, Response, request
from werkzeug.exceptions import NotFound as RouteNotFound
from werkzeug.exceptions import UnsupportedMediaType

from app.access.exposure import OpenAreas
from app.access.listening_addresses import arrived_at
from app.access.request_guard import RequestGuard
from app.access.requested_host import with_requested_host
from app.api.json_body import require_json
from app.console.links import is_below_console, link_to
from app.console.rendering import prefers_page, render_notice
from app.console.session import COOKIE, Sessions
from app.errors import NotFound, Unauthorized
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = ["register_access"]

logger = logging.getLogger(__name__)

_API = "/console/api/"
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_WITHOUT_SESSION = frozenset({"console_files", "console_login"})

_OFF = "The console is off"
_TURN_ON = (
    "To turn it on, set SSE_CONSOLE_PASSWORD to a password of 8 characters or more, and restart the"
    " server"
)

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: with that policy a form has the origin "null", which is not an own page.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def register_access(
    app: Flask,
    blueprints: Collection[str],
    *,
    areas: OpenAreas,
    guard: RequestGuard,
    sessions: Sessions,
    refusals: RefusalCounts,
) -> None:
    """Register the check of requests for the console, and the headers of its answers.

    Args:
        app: the application. Call this before :func:`app.api.cors.register_cors`: Flask calls the
            function that was registered first last, and it removes the headers that the other
            adds.
        blueprints: the names of the console's blueprints.
        areas: the parts that are served at each address.
        guard: checks the host and the origin.
        sessions: checks the cookies.
        refusals: counts the refused requests of the process.
    """
    access = _Access(frozenset(blueprints), areas, guard, sessions, refusals)
    app.before_request(access.check)
    app.after_request(access.add_headers)


class _Access:
    def __init__(
        self,
        blueprints: frozenset[str],
        areas: OpenAreas,
        guard: RequestGuard,
        sessions: Sessions,
        refusals: RefusalCounts,
    ) -> None:
        self._blueprints = blueprints
        self._areas = areas
        self._guard = guard
        self._sessions = sessions
        self._refusals = refusals
        self._is_logged = False

    def check(self) -> Response | None:
        """Return the answer to a request that must not reach a view; None for other requests."""
        if not self._is_for_console():
            return None
        listener = arrived_at(request.environ)
        if not self._areas.has_console(*(listener or ("", 0))):
            return self._say_that_it_is_off(listener)
        self._check_origin(listener)
        is_needed = self._sessions.are_needed and request.blueprint not in _WITHOUT_SESSION
        if is_needed and not self._sessions.is_valid(request.cookies.get(COOKIE)):
            return _ask_for_password()
        if isinstance(request.routing_exception, RouteNotFound) and prefers_page():
            text = "The console has no page at this address."
            return render_notice(404, "There is no such page", text, has_link=True)
        return None

    def add_headers(self, response: Response) -> Response:
        """Add the headers of the console's answers, and remove those for other origins."""
        if not self._is_for_console():
            return response
        for name in [name for name, _ in response.headers if name.startswith("Access-Control-")]:
            del response.headers[name]
        response.headers.update(_HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _is_for_console(self) -> bool:
        if request.routing_exception is not None:  # a wrong path, or a wrong method
            return is_below_console(request.path)
        # A deployment may have routes of its own below /console.
        return not self._blueprints.isdisjoint(request.blueprints)

    def _say_that_it_is_off(self, listener: tuple[str, int] | None) -> Response:
        self._refusals.add(RefusalReason.NOT_OPEN)
        if not self._areas.is_place_of_console(*(listener or ("", 0))):
            raise NotFound(f"There is nothing at {request.path}")
        if not self._is_logged:  # logged once, because the setting does not change
            self._is_logged = True
            extra = {"path": request.path, "address": request.remote_addr}
            logger.warning("the console is off; see SSE_CONSOLE_PASSWORD", extra=extra)
        if prefers_page():
            return render_notice(404, _OFF, f"{_TURN_ON}.")
        raise NotFound(f"{_OFF}. {_TURN_ON}")

    def _check_origin(self, listener: tuple[str, int] | None) -> None:
        client = request.remote_addr or ""
        header = with_requested_host(request.environ.get("RAW_URI", ""), request.headers.get)
        self._guard.check_host(header, listener[0] if listener else None, client)
        is_write = request.method in _WRITES
        is_api = request.path.startswith(_API)
        if is_write or is_api:
            self._guard.check_own_page(header, client)
        if is_write and is_api:
            try:
                require_json()
            except UnsupportedMediaType:
                self._refusals.add(RefusalReason.NOT_JSON)
                raise


def _ask_for_password() -> Response:
    """Lead a browser that asks for a page to the form. Other clients get an error."""
    if request.method not in ("GET", "HEAD") or not prefers_page():
        raise Unauthorized("This needs the password of the console. Sign in at /console/login")
    page = f"{request.path}?{request.query_string.decode('latin-1')}".removesuffix("?")
    form = f"{link_to('/console/login')}?{urlencode({'next': page})}"
    return Response(status=303, headers={"Location": form})
