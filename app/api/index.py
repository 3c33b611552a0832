"""``GET /``: describes this server and the next steps.

The answer names only what is served at the address that the request came to. It is JSON. Browsers
are led to the console, or get a plain HTML page if the console is not served at that address. If a
deployment adds a route for ``/`` to the application, that route is used instead.
"""

from __future__ import annotations

import html
import json
import shlex
from typing import NamedTuple

from flask import Flask, Response, request
from werkzeug.exceptions import NotFound

from app.access.exposure import Area, OpenAreas
from app.access.listening_addresses import arrived_at
from app.access.request_guard import RequestGuard
from app.access.requested_host import with_requested_host
from app.config import Settings
from app.console.links import FOLDER
from app.program.version import DISTRIBUTION, application_version
from app.serving.backend_runtime import STREAM_PATH
from gateway_shim.protocol.routes import path_of
from gateway_shim.server.addresses import bind_text

__all__ = ["register_index"]

_DESCRIPTION = "A Flask backend that sends events to browsers over Server-Sent Events."
_DOCUMENTATION = f"README.md and the folder docs of {DISTRIBUTION}"
_HEADERS = {
    "Cache-Control": "no-store",  # the answer depends on the host and on the listening address
    "Content-Security-Policy": "default-src 'none'",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}


class _Step(NamedTuple):
    """One possible next step.

    Args:
        name: the description of the step, for people.
        method: the HTTP method.
        url: the whole URL.
        command: the command line that sends the request.
    """

    name: str
    method: str
    url: str
    command: str


def register_index(app: Flask, settings: Settings, guard: RequestGuard, areas: OpenAreas) -> None:
    """Let an application answer ``GET /`` where no other route does.

    Args:
        app: the application. Call this after
            :func:`app.api.request_checks.register_request_checks`.
        settings: the backend's settings.
        guard: checks the host that a request asks for.
        areas: the parts of the API that are served at each address.
    """

    # Not a route: of two routes for "/", Flask would use the one that was added first, and not the
    # one that a deployment adds.
    @app.before_request
    def answer_index() -> Response | None:
        is_unanswered = isinstance(request.routing_exception, NotFound)
        # The path of the raw target: Werkzeug also reads a URL without a host as "/".
        path = path_of(request.environ.get("RAW_URI", request.path))
        if path != "/" or request.method not in ("GET", "HEAD") or not is_unanswered:
            return None
        listener = arrived_at(request.environ)
        header = with_requested_host(request.environ.get("RAW_URI", ""), request.headers.get)
        guard.check_host(header, listener[0] if listener else None, request.remote_addr or "")
        place = listener or ("", 0)
        open_areas = {area for area in Area if areas.is_open(area, *place)}
        has_console = areas.has_console(*place)
        steps = _steps(_base_url(listener), settings, open_areas, has_console=has_console)
        offered = ["application/json", "text/html"]
        if request.accept_mimetypes.best_match(offered) == "text/html":
            if has_console:
                target = f"{request.script_root}{FOLDER}"
                response = Response(status=303, headers={"Location": target})
            else:
                response = Response(_page(steps), mimetype="text/html")
        else:
            # The version is left out in production, where it would tell attackers what to try.
            version = {} if settings.is_production else {"version": application_version()}
            body = {
                "server": DISTRIBUTION,
                **version,
                "description": _DESCRIPTION,
                "next": [step._asdict() for step in steps],
                "documentation": _DOCUMENTATION,
            }
            # Indented, because people read it.
            response = Response(json.dumps(body, indent=2) + "\n", mimetype="application/json")
        response.headers.update(_HEADERS)
        return response


def _base_url(listener: tuple[str, int] | None) -> str:
    """Return the URL of this server, without a slash at its end.

    Args:
        listener: the address of the listening socket, which replaces an empty ``Host`` header; None
            for a Unix socket.
    """
    if request.host:
        return request.root_url.rstrip("/")
    host = "localhost" if listener is None else bind_text(*listener)
    return f"{request.scheme}://{host}{request.script_root}"


def _steps(
    base: str, settings: Settings, open_areas: set[Area], *, has_console: bool
) -> list[_Step]:
    """Return the steps that are possible at the address that the request came to."""
    steps = []
    if has_console:
        url = f"{base}{FOLDER}"
        steps.append(_Step("Look at it in a browser", "GET", url, f"curl -L {shlex.quote(url)}"))
    if settings.sse_gateway_url is None:
        url = f"{base}{STREAM_PATH}?request_id=me"
        steps.append(_Step("Open a stream", "GET", url, f"curl -N {shlex.quote(url)}"))
    if Area.TASKS in open_areas:
        url = f"{base}/api/tasks"
        body = "-H 'Content-Type: application/json' -d '{\"task_type\":\"demo_task\"}'"
        command = f"curl {shlex.quote(url)} {body}"
        steps.append(_Step("Start a task", "POST", url, command))
        steps.append(_get("List the tasks", url))
    if Area.METRICS in open_areas:
        steps.append(_get("Read the metrics", f"{base}/metrics"))
        if settings.sse_gateway_url is None:
            steps.append(_get("Read the state of the gateway", f"{base}/api/gateway"))
    steps.append(_get("Check that the server is alive", f"{base}/healthz"))
    steps.append(_get("Check that the server accepts work", f"{base}/readyz"))
    return steps


def _get(name: str, url: str) -> _Step:
    return _Step(name, "GET", url, f"curl {shlex.quote(url)}")


def _page(steps: list[_Step]) -> str:
    items = "".join(
        f"<li>{html.escape(step.name)}: {_link(step)}<pre>{html.escape(step.command)}</pre></li>\n"
        for step in steps
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>{DISTRIBUTION}</title></head>\n"
        f"<body>\n<h1>{DISTRIBUTION}</h1>\n<p>{_DESCRIPTION}</p>\n<ul>\n{items}</ul>\n"
        f"<p>Documentation: {_DOCUMENTATION}</p>\n</body>\n</html>\n"
    )


def _link(step: _Step) -> str:
    url = html.escape(step.url)
    return f'<a href="{url}">{url}</a>' if step.method == "GET" else f"{step.method} {url}"
