"""Any JSON and any bytes for the callback and the tasks API get a short and cheap response.

Hypothesis generates the documents, so each run tests others, and shows a failure in its smallest
form. A request is cheap if its processor time is at most ``MAX_COST`` times that of parsing an
ordinary body. So one body cannot block the event loop.
"""

from __future__ import annotations

import gc
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.config import Settings
from app.factory import build
from gateway_shim.log_lines.log_format import TextFormatter
from tests.faults.fuzz.documents import CALLBACKS, FULL, LARGE, NUMBERS, TASKS, bodies
from tests.support.timing import wait_until

fuzz = settings(max_examples=150, suppress_health_check=list(HealthCheck))

MAX_RESPONSE_BYTES = 16 * 1024
"""The limit of a response to a refused request, in bytes."""

MAX_LINE_CHARACTERS = 16 * 1024
"""The limit of a log line that a request causes, in characters."""

MAX_COST = 300.0
"""The limit of a request's processor time, divided by that of parsing an ordinary body of 100 KB.

That body takes 0.17 ms on the machine where this was measured.
"""


# ------------------------------------------------------------------ the application


class Lines(logging.Handler):
    """A log handler that keeps the length of the longest line."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Measure the record as the log formats it."""
        self.longest = max(self.longest, len(TextFormatter().format(record)))


class Backend:
    """The application in this process.

    Attributes:
        lines: the handler of its log.
        unit: the processor time of parsing an ordinary body of 100 KB, in seconds.
    """

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()
        self.lines = Lines()
        ordinary = json.dumps({f"header-{n}": "x" * 40 for n in range(FULL // 60)})
        self.unit = min(_cost(lambda: json.loads(ordinary)) for _ in range(10))

    def request(self, method: str, path: str, body: bytes | None = None) -> int:
        """Send a request, check that the response is ours, and that a refusal is short and cheap.

        Returns:
            The status of the response.
        """
        kind = None if body is None else "application/json"

        def send() -> Any:
            return self._client.open(path, method=method, data=body, content_type=kind)

        self.lines.longest = 0
        begun = time.thread_time()
        answer = send()
        cost = time.thread_time() - begun
        if answer.status_code == 308:  # Werkzeug's response to a doubled slash
            return 308
        assert answer.status_code in {200, 202, 204, 400, 403, 404, 405, 409, 413, 415, 503}
        if answer.status_code != 204:
            assert answer.content_type == "application/json"
            document = json.loads(answer.data)
        if answer.status_code >= 400:
            assert len(answer.data) <= MAX_RESPONSE_BYTES
            assert set(document) <= {"error", "details"}
            assert isinstance(document["error"], str)
            if cost > MAX_COST * self.unit:  # the garbage collector may have run
                cost = min(_cost(send) for _ in range(3))
            assert cost <= MAX_COST * self.unit, f"{cost / self.unit:.0f} units"
        assert self.lines.longest <= MAX_LINE_CHARACTERS
        return int(answer.status_code)

    def settle(self) -> None:
        """Wait for the end of all tasks, and delete all tasks and streams."""
        wait_until(self._delete_tasks, "all tasks to be over")
        self._client.post(
            "/api/sse/callback",
            json={"action": "disconnect", "reason": "error", "token": "t", "request": {"url": "/"}},
        )

    def _delete_tasks(self) -> bool:
        tasks = self._client.get("/api/tasks").get_json()["tasks"]
        for task in tasks:
            self._client.post(f"/api/tasks/{task['task_id']}/cancel")
            self._client.delete(f"/api/tasks/{task['task_id']}")
        return not tasks


def _cost(call: Callable[[], object]) -> float:
    begun = time.thread_time()
    call()
    return time.thread_time() - begun


def our_objects() -> Counter[str]:
    """Return the number of objects of each class of our packages.

    Locks do not count: every library has ours, because they replace Python's. Nor do the console's
    samples: one is taken every few seconds, up to a limit, whatever is requested.
    """
    gc.collect()
    names = (f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in gc.get_objects())
    return Counter(
        name
        for name in names
        if name.startswith(("app.", "gateway_shim."))
        and not name.startswith(
            ("gateway_shim.event_loop.locks.", "app.console.operations.sample.")
        )
    )


@pytest.fixture
def backend() -> Iterator[Backend]:
    """Create an application, and check at the end that it has no more objects than before."""
    made = Backend(build(Settings(_env_file=None, task_max_workers=1)))
    root = logging.getLogger()
    root.addHandler(made.lines)
    # Objects that the first task and the first refusal create once are not growth.
    made.request("POST", "/api/tasks", b'{"task_type":"demo_task","params":{"delay":0}}')
    made.request("POST", "/api/sse/callback", b"{}")
    made.settle()
    before = our_objects()
    yield made
    made.settle()
    root.removeHandler(made.lines)
    grown = our_objects() - before
    assert grown.total() <= 20, grown


def test_any_callback(backend: Backend) -> None:
    """Any body at the callback gets 200 or a refusal."""

    @fuzz
    @example(CALLBACKS[0].replace("@", LARGE[0]).encode())
    @example(CALLBACKS[2].replace("@", LARGE[-2]).encode())
    @example(CALLBACKS[5].replace("@", LARGE[-2]).encode())
    @example(LARGE[5].encode())
    @given(bodies(CALLBACKS))
    def any_callback(body: bytes) -> None:
        assert backend.request("POST", "/api/sse/callback", body) in {200, 400, 403, 413}

    any_callback()


def test_any_task(backend: Backend) -> None:
    """Any body at the tasks API starts a task or gets a refusal."""

    @fuzz
    @example(TASKS[0].replace("@", LARGE[0]).encode())
    @example(TASKS[0].replace("@", LARGE[-1]).encode())
    @example(TASKS[3].replace("@", LARGE[-2]).encode())
    @example(TASKS[4].replace("@", LARGE[5]).encode())
    @example(LARGE[7].encode())
    @given(bodies(TASKS))
    def any_task(body: bytes) -> None:
        assert backend.request("POST", "/api/tasks", body) in {202, 400, 404, 413, 503}

    any_task()


ODD_IDS = st.one_of(
    st.sampled_from(["%00", "..%2f..", "%ff", "%F0%9F%92%A9", "a" * 4000, "null", "-1", "%0d%0a"]),
    st.text(st.characters(codec="utf-8"), max_size=20),
)


def test_any_task_id(backend: Backend) -> None:
    """A request with any task id that does not exist gets a refusal."""

    @fuzz
    @given(st.sampled_from(["GET", "POST", "DELETE", "PATCH"]), ODD_IDS, st.sampled_from("sc-"))
    def any_id(method: str, task_id: str, end: str) -> None:
        path = f"/api/tasks/{task_id}" + {"s": "/status", "c": "/cancel", "-": ""}[end]
        assert backend.request(method, path.replace("?", "%3F")) in {200, 308, 400, 404, 405}

    any_id()


def test_any_page_of_the_list(backend: Backend) -> None:
    """A request for the list with any query gets a page or a refusal."""
    for _ in range(3):
        assert backend.request("POST", "/api/tasks", b'{"task_type":"demo_task"}') == 202

    @fuzz
    @given(st.sampled_from(["limit", "before", "x"]), ODD_IDS | NUMBERS)
    def any_page(name: str, value: str) -> None:
        assert backend.request("GET", f"/api/tasks?{name}={value}") in {200, 400}

    any_page()
