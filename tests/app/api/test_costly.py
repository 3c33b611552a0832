"""Views with large answers wait for their turn, and are refused when too many wait."""

from __future__ import annotations

import gevent
import pytest
from flask import Flask
from pydantic import BaseModel

from app.api.costly import SMALL_RESULT_BYTES, costly
from app.config import Settings
from app.container import ServiceContainer
from app.factory import build
from app.tasks.base import BaseTask, TaskProgressHandle
from tests.support.timing import wait_until


@pytest.fixture
def app() -> Flask:
    """Return the backend with a costly view."""
    app = build(Settings(max_answers_waiting=8))
    app.add_url_rule("/costly", "costly", costly(lambda: "done"))
    return app


def ask(app: Flask, path: str, address: str) -> tuple[int, str | None]:
    """Return the status and Retry-After of an answer."""
    answer = app.test_client().get(path, environ_base={"REMOTE_ADDR": address})
    return answer.status_code, answer.headers.get("Retry-After")


def test_too_many_at_once(app: Flask) -> None:
    """A quarter of the places is for one client; more requests are refused."""
    asking = [gevent.spawn(ask, app, "/costly", "192.0.2.1") for _ in range(5)]
    asking.append(gevent.spawn(ask, app, "/costly", "192.0.2.2"))
    gevent.joinall(asking, raise_error=True)
    assert [each.value for each in asking] == [(200, None)] * 2 + [(503, "10")] * 3 + [(200, None)]
    container: ServiceContainer = app.extensions["container"]
    assert container.refusals().by_reason["answers_limit"] == 3


@pytest.mark.parametrize("path", ["/metrics", "/api/tasks"])
def test_costly_views(app: Flask, path: str) -> None:
    """The views of lists and metrics are costly."""
    asking = [gevent.spawn(ask, app, path, "192.0.2.1") for _ in range(3)]
    gevent.joinall(asking, raise_error=True)
    assert [each.value[0] for each in asking] == [200, 200, 503]


class Text(BaseModel):
    """The result of a task."""

    text: str


class TextTask(BaseTask):
    """Returns a text."""

    def execute(self, progress_handle: TaskProgressHandle, *, size: int = 0) -> Text:  # type: ignore[override]
        """Return a text of a given length."""
        return Text(text="x" * size)


@pytest.mark.parametrize(("size", "refused"), [(10, 0), (SMALL_RESULT_BYTES, 1)])
def test_a_result_is_costly_if_it_is_large(app: Flask, size: int, refused: int) -> None:
    """Only large results wait: after a deploy, all browsers ask for their tasks at once."""
    container: ServiceContainer = app.extensions["container"]
    service = container.task_service()
    task_id = service.start_task(TextTask(), size=size).task_id
    wait_until(lambda: service.get_task_status(task_id).status == "completed", "the task")
    path = f"/api/tasks/{task_id}/status"
    asking = [gevent.spawn(ask, app, path, "192.0.2.1") for _ in range(3)]
    gevent.joinall(asking, raise_error=True)
    assert [each.value[0] for each in asking].count(503) == refused
