"""Any JSON, and any bytes, at the callback and at the tasks API: an answer of ours, nothing kept.

Hypothesis makes the documents, so each run sees others; what it finds it shows in its smallest
form. A document is cheap if it costs no more processor time than ordinary ones of its size, times
a generous factor: so one body cannot stop the event loop.
"""

from __future__ import annotations

import gc
import json
import logging
import time
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

fuzz = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

MAX_ANSWER_BYTES = 16 * 1024
"""The largest answer to a request that is refused, whatever it holds."""

MAX_LINE_CHARACTERS = 16 * 1024
"""The longest log line that a request may cause."""

MAX_COST = 300.0
"""Processor time of a request, in that of parsing an ordinary body of 100 KB: 0.17 ms here."""


# ------------------------------------------------------------------ what is asked


class Lines(logging.Handler):
    """Keeps the length of the longest log line."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Look at it as the log shows it."""
        self.longest = max(self.longest, len(TextFormatter().format(record)))


class Backend:
    """The application, asked in this process.

    Attributes:
        lines: what it logs.
        unit: processor seconds of one ordinary body of 100 KB.
    """

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()
        self.lines = Lines()
        ordinary = json.dumps({f"header-{n}": "x" * 40 for n in range(FULL // 60)})
        self.unit = min(_cost(lambda: json.loads(ordinary)) for _ in range(10))

    def ask(self, method: str, path: str, body: bytes | None = None) -> int:
        """Make a request; the answer must be ours, short if it is a refusal, and cheap.

        Returns:
            The status.
        """
        kind = None if body is None else "application/json"

        def send() -> Any:
            return self._client.open(path, method=method, data=body, content_type=kind)

        self.lines.longest = 0
        begun = time.thread_time()
        answer = send()
        cost = time.thread_time() - begun
        if answer.status_code == 308:  # Werkzeug's, where a slash is doubled
            return 308
        assert answer.status_code in {200, 202, 204, 400, 403, 404, 405, 409, 413, 415, 503}
        if answer.status_code != 204:
            assert answer.content_type == "application/json"
            document = json.loads(answer.data)
        if answer.status_code >= 400:
            assert len(answer.data) <= MAX_ANSWER_BYTES
            assert set(document) <= {"error", "details"}
            assert isinstance(document["error"], str)
            if cost > MAX_COST * self.unit:  # the collector of garbage may have come by
                cost = min(_cost(send) for _ in range(3))
            assert cost <= MAX_COST * self.unit, f"{cost / self.unit:.0f} units"
        assert self.lines.longest <= MAX_LINE_CHARACTERS
        return int(answer.status_code)

    def settle(self) -> None:
        """Let all tasks end, and forget them and all streams."""
        wait_until(self._forget_tasks, "all tasks to be over")
        self._client.post(
            "/api/sse/callback",
            json={"action": "disconnect", "reason": "error", "token": "t", "request": {"url": "/"}},
        )

    def _forget_tasks(self) -> bool:
        tasks = self._client.get("/api/tasks").get_json()["tasks"]
        for task in tasks:
            self._client.post(f"/api/tasks/{task['task_id']}/cancel")
            self._client.delete(f"/api/tasks/{task['task_id']}")
        return not tasks


def _cost(call: Callable[[], object]) -> float:
    begun = time.thread_time()
    call()
    return time.thread_time() - begun


def ours() -> int:
    """How many objects of our classes there are."""
    gc.collect()
    return sum(
        str(getattr(type(thing), "__module__", "")).startswith(("app.", "gateway_shim."))
        for thing in gc.get_objects()
    )


@pytest.fixture
def backend() -> Iterator[Backend]:
    """An application; afterwards it holds nothing that it did not hold before."""
    made = Backend(build(Settings(_env_file=None, task_max_workers=1)))
    root = logging.getLogger()
    root.addHandler(made.lines)
    # What the first task and the first refusal make for good is no growth.
    made.ask("POST", "/api/tasks", b'{"task_type":"demo_task","params":{"delay":0}}')
    made.ask("POST", "/api/sse/callback", b"{}")
    made.settle()
    before = ours()
    yield made
    made.settle()
    root.removeHandler(made.lines)
    assert ours() <= before + 20


def test_any_callback(backend: Backend) -> None:
    """200 or a refusal, for any body."""

    @fuzz
    @example(CALLBACKS[0].replace("@", LARGE[0]).encode())
    @example(CALLBACKS[2].replace("@", LARGE[-2]).encode())
    @example(CALLBACKS[5].replace("@", LARGE[-2]).encode())
    @example(LARGE[5].encode())
    @given(bodies(CALLBACKS))
    def any_callback(body: bytes) -> None:
        assert backend.ask("POST", "/api/sse/callback", body) in {200, 400, 403, 413}

    any_callback()


def test_any_task(backend: Backend) -> None:
    """A task is started, or refused, for any body."""

    @fuzz
    @example(TASKS[0].replace("@", LARGE[0]).encode())
    @example(TASKS[0].replace("@", LARGE[-1]).encode())
    @example(TASKS[3].replace("@", LARGE[-2]).encode())
    @example(TASKS[4].replace("@", LARGE[5]).encode())
    @example(LARGE[7].encode())
    @given(bodies(TASKS))
    def any_task(body: bytes) -> None:
        assert backend.ask("POST", "/api/tasks", body) in {202, 400, 404, 413, 503}

    any_task()


ODD_IDS = st.one_of(
    st.sampled_from(["%00", "..%2f..", "%ff", "%F0%9F%92%A9", "a" * 4000, "null", "-1", "%0d%0a"]),
    st.text(st.characters(codec="utf-8"), max_size=20),
)


def test_any_task_id(backend: Backend) -> None:
    """What is asked of a task that does not exist is refused, whatever its id."""

    @fuzz
    @given(st.sampled_from(["GET", "POST", "DELETE", "PATCH"]), ODD_IDS, st.sampled_from("sc-"))
    def any_id(method: str, task_id: str, end: str) -> None:
        path = f"/api/tasks/{task_id}" + {"s": "/status", "c": "/cancel", "-": ""}[end]
        assert backend.ask(method, path.replace("?", "%3F")) in {200, 308, 400, 404, 405}

    any_id()


def test_any_page_of_the_list(backend: Backend) -> None:
    """The list is answered or refused, whatever its query says."""
    for _ in range(3):
        assert backend.ask("POST", "/api/tasks", b'{"task_type":"demo_task"}') == 202

    @fuzz
    @given(st.sampled_from(["limit", "before", "x"]), ODD_IDS | NUMBERS)
    def any_page(name: str, value: str) -> None:
        assert backend.ask("GET", f"/api/tasks?{name}={value}") in {200, 400}

    any_page()
