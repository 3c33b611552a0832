"""The size of the largest body, by route."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask

from app.access.admin_gate import AdminGate
from app.access.body_limits import BodyLimits

JSON, BODY = 100, 1000


@pytest.fixture
def app() -> Flask:
    """Return an application with views of its own and a blueprint of a deployment."""
    app = Flask(__name__, static_folder=None)
    for name in ("own", "foreign"):
        blueprint = Blueprint(name, name)
        blueprint.add_url_rule(f"/{name}", "write", lambda: "", methods=["POST", "DELETE"])
        blueprint.add_url_rule(f"/{name}", "read", lambda: "")
        blueprint.add_url_rule(f"/{name}/<part>/ü/", "part", lambda part: part, methods=["PUT"])
        app.register_blueprint(blueprint)
    return app


def limit_of(app: Flask) -> Callable[[str, str], int]:
    """Return the function under test."""
    return BodyLimits(app, ["own"], json_bytes=JSON, body_bytes=BODY).limit


@pytest.mark.parametrize(
    ("method", "target", "limit"),
    [
        ("POST", "/own", JSON),
        ("POST", "/own?a=b#c", JSON),
        ("POST", "http://host/own", JSON),
        ("DELETE", "/own", JSON),
        ("PUT", "/own/x%20y/%C3%BC/", JSON),
        ("PUT", "/own/x/%C3%BC", 0),  # Flask redirects
        ("GET", "/own", 0),
        ("HEAD", "/own", 0),
        ("OPTIONS", "/own", 0),
        ("PUT", "/own", 0),
        ("POST", "/foreign", BODY),
        ("GET", "/foreign", BODY),
        ("PUT", "/foreign", 0),
        ("POST", "/", 0),
        ("POST", "/nowhere", 0),
        ("POST", "/OWN", 0),
        ("POST", "/%ff", 0),
        ("POST", "/own/", 0),
        ("OPTIONS", "*", 0),
        ("ODD", "/own", 0),
    ],
)
def test_limit(app: Flask, method: str, target: str, limit: int) -> None:
    """The limit depends on the route; a body that no view reads has the limit 0."""
    assert limit_of(app)(method, target) == limit


def test_a_route_that_is_added_later(app: Flask) -> None:
    """A route that is added later has the limit of other routes."""
    limit = limit_of(app)
    assert limit("POST", "/late") == 0
    app.add_url_rule("/late", "late", lambda: "", methods=["POST"])
    assert limit("POST", "/late") == BODY


def test_behind_a_middleware(app: Flask) -> None:
    """Other middleware may answer any path, so bodies are read for every path; ours does not."""
    limit = limit_of(app)
    app.wsgi_app = AdminGate(app.wsgi_app, ("127.0.0.1", 1))  # type: ignore[method-assign]
    assert limit("POST", "/nowhere") == 0
    inner = app.wsgi_app

    def middleware(environ: Any, start_response: Any) -> Any:
        return inner(environ, start_response)

    app.wsgi_app = middleware  # type: ignore[method-assign]
    assert limit("POST", "/nowhere") == BODY
    assert limit("PUT", "/own") == BODY
    assert limit("POST", "/own") == JSON


def test_hosts_that_differ(app: Flask) -> None:
    """If the host decides about the view, the limit is that of other routes."""
    app.url_map.host_matching = True
    assert limit_of(app)("POST", "/nowhere") == BODY
