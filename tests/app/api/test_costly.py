"""Views whose answers may be large wait for their turn, and are refused when too many wait."""

from __future__ import annotations

import gevent
import pytest
from flask import Flask

from app.api.costly import costly
from app.config import Settings
from app.factory import build
from app.services.container import ServiceContainer


@pytest.fixture
def app() -> Flask:
    """The backend, with a view that is costly."""
    app = build(Settings(max_answers_waiting=8))
    app.add_url_rule("/costly", "costly", costly(lambda: "done"))
    return app


def ask(app: Flask, path: str, address: str) -> tuple[int, str | None]:
    """Status and Retry-After."""
    answer = app.test_client().get(path, environ_base={"REMOTE_ADDR": address})
    return answer.status_code, answer.headers.get("Retry-After")


def test_too_many_at_once(app: Flask) -> None:
    """A fourth of the places is one client's; the others are told to come back."""
    asking = [gevent.spawn(ask, app, "/costly", "192.0.2.1") for _ in range(5)]
    asking.append(gevent.spawn(ask, app, "/costly", "192.0.2.2"))
    gevent.joinall(asking, raise_error=True)
    assert [each.value for each in asking] == [(200, None)] * 2 + [(503, "10")] * 3 + [(200, None)]
    container: ServiceContainer = app.extensions["container"]
    assert container.refusals().by_reason["answers_limit"] == 3


@pytest.mark.parametrize("path", ["/metrics", "/api/tasks"])
def test_what_is_costly(app: Flask, path: str) -> None:
    """Lists, results and metrics are."""
    asking = [gevent.spawn(ask, app, path, "192.0.2.1") for _ in range(3)]
    gevent.joinall(asking, raise_error=True)
    assert [each.value[0] for each in asking] == [200, 200, 503]
