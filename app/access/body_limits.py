"""The limits of request bodies by route. They apply before a body is read."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import unquote

from flask import Flask
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from gateway_shim.protocol.routes import path_of

__all__ = ["DEFAULT_JSON_BYTES", "BodyLimits"]

DEFAULT_JSON_BYTES = 102_400
"""The size of the largest body for the backend's own routes: the limit of the gateway contract for
a send."""

_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})


class BodyLimits:
    """The limits of an application's routes, including routes that are added later.

    Args:
        app: the application.
        own: the names of the backend's own blueprints, which take only JSON.
        json_bytes: the size of the largest body for the routes of these blueprints.
        body_bytes: the size of the largest body for all other routes.
    """

    def __init__(
        self, app: Flask, own: Collection[str], *, json_bytes: int, body_bytes: int
    ) -> None:
        self._app = app
        self._own = frozenset(own)
        self._json_bytes = json_bytes
        self._body_bytes = body_bytes

    def limit(self, method: str, target: str) -> int:
        """Return the size of the largest body for a request; 0 if no view would read the body.

        Args:
            method: the request method.
            target: the raw request target, query included.
        """
        routes = self._app.url_map
        if routes.host_matching or self._app.subdomain_matching:
            return self._body_bytes  # the path alone does not identify the view
        path = unquote(path_of(target), errors="replace")
        try:
            rule, _ = routes.bind("").match(path, method, return_rule=True)
        except (NotFound, MethodNotAllowed):
            return 0 if _is_bare(self._app.wsgi_app) else self._body_bytes
        except RequestRedirect:
            return 0
        if rule.endpoint.rpartition(".")[0] not in self._own:
            return self._body_bytes
        return 0 if method in _BODILESS else self._json_bytes


def _is_bare(wsgi_app: Any) -> bool:
    """Return whether every request reaches Flask. Other middleware may answer other paths."""
    while getattr(wsgi_app, "never_reads_bodies", False):
        wsgi_app = wsgi_app.application
    return getattr(wsgi_app, "__func__", None) is Flask.wsgi_app
