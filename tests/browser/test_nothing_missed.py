"""The EventSource of a real browser misses nothing, although nobody programmed it to resume."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.breaking_relay import BreakingRelay
from tests.browser.chromium import ChromiumPage
from tests.faults.nothing_missed.publisher import Publisher
from tests.faults.nothing_missed.worker_faults import kill_worker, reload
from tests.support.backend_client import start_task
from tests.support.processes.server import GunicornServer

pytestmark = pytest.mark.needs("chromium", "playwright")

EVENTS = 30
"""The number of events that are published beside each fault."""


def numbers_of(seen: list[dict[str, Any]]) -> list[int]:
    """Return the numbers of a publisher's events among the entries of a page."""
    names = [json.loads(entry["data"])["version"] for entry in seen if entry["kind"] == "version"]
    return [int(name.partition("-")[2]) for name in names if name.startswith("number-")]


def test_a_page_gets_every_event(browser: ChromiumPage) -> None:
    """A page has every event once and in order after a reload, a killed worker and a cut."""
    env = {
        "CORS_ORIGINS": browser.origin,
        "FLASK_ENV": "testing",
        "SSE_DRAIN_RETRY_SECONDS": "0.1",  # the page also keeps this pause for later reconnects
    }
    with (
        GunicornServer(env=env) as server,
        BreakingRelay(server.port) as relay,
        Publisher(server.port) as publisher,
    ):
        browser.open_stream(f"http://127.0.0.1:{relay.port}/api/sse/stream?request_id=browser")
        browser.wait("version")
        for number, fault in enumerate((reload, kill_worker, None), 2):
            with publisher.publishing(EVENTS):
                if fault is None:
                    assert relay.break_connections() == 2
                else:
                    fault(server)
                browser.wait("open", number)
        start_task(server, "demo_task", steps=1, delay=0)
        seen = browser.wait("task_event", 3)
    numbers = numbers_of(seen)
    assert set(publisher.acknowledged) - set(numbers) == set()
    assert numbers == sorted(set(numbers))
    assert [entry for entry in seen if entry["kind"] == "resync"] == []
