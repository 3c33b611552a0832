"""The operations page in Chromium: figures, charts, gaps, and the warning of a real slow client."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.tabs import Browser, Tab
from tests.support.backend_client import start_task
from tests.support.http.client import request, request_bytes
from tests.support.processes.server import GunicornServer
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("chromium", "playwright")

APPLICATION = "tests.browser.console.quick_samples:create()"

NOTE_SAMPLES = """async () => {
  const { stream } = await import("/console/static/page.js");
  window.sampled = [];
  stream.on("operations_sample", (sample) => window.sampled.push(sample.time));
}"""
"""Notes the times of the samples that come as events."""

IS_DRAWN = """() => {
  const rows = [...document.querySelectorAll("#history tbody tr")];
  return rows.some((row) => Number(row.dataset.time) === window.sampled.at(-1));
}"""
"""True if the page shows the last sample that has come as an event."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GunicornServer]:
    """Start a server that takes samples often."""
    state = str(tmp_path_factory.mktemp("state"))
    env = {"FLASK_ENV": "testing", "SSE_STATE_DIR": state, "SSE_DRAIN_RETRY_SECONDS": "0.1"}
    with GunicornServer(application=APPLICATION, env=env) as server:
        yield server


@pytest.fixture(scope="module")
def tab(chromium: Browser, server: GunicornServer) -> Iterator[Tab]:
    """Open the page, with its table, and wait for a sample that has come as an event.

    All tests share the tab, so each leaves the server in order. The browser must not complain.
    """
    with chromium.context() as context:
        tab = context.tab(f"{server.url}/console/operations")
        tab.evaluate(NOTE_SAMPLES)
        tab.click("#history summary")
        until(tab, IS_DRAWN)
        yield tab
        assert tab.complaints == []


def until(tab: Tab, expression: str, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Wait until a JavaScript expression is true. The page's policy forbids ``tab.wait_for``."""

    def look() -> Any:
        meanwhile()
        return tab.evaluate(expression)

    wait_until(look, lambda: f"{expression} in the page:\n{tab.text('main')}")


def summary(title: str) -> str:
    """Return an expression for the text of a chart."""
    return (
        "[...document.querySelectorAll('.chart')].find((chart) =>"
        f" chart.querySelector('h3').textContent === '{title}')"
        ".querySelector('svg').getAttribute('aria-label')"
    )


def figure(term: str) -> str:
    """Return an expression for a present figure in words."""
    return (
        "[...document.querySelectorAll('#figures dt')].find((term) =>"
        f" term.textContent === '{term}').nextElementSibling.textContent"
    )


def test_figures_and_charts(tab: Tab, server: GunicornServer) -> None:
    """The figures are there in words, and each chart has a text and as many points as samples."""
    until(tab, f"{figure('Streams')}.startsWith('1 open of at most ')")
    assert "of at most 4 running, 0 waiting" in tab.evaluate(figure("Tasks"))
    assert tab.evaluate("document.querySelectorAll('.chart svg[role=img]').length") == 9
    start_task(server, "demo_task", steps=3, delay=0.0)
    until(tab, f"/newest event now [1-9]/.test({summary('Log position')})")
    until(tab, f"/deliveries now .*, highest [1-9]/.test({summary('Deliveries a second')})")
    points = tab.evaluate(
        "[...document.querySelectorAll('.chart .line-1')].slice(8, 10).map((line) =>"
        " (line.getAttribute('d').match(/[ML][0-9]/g) ?? []).length)"
        ".concat(document.querySelectorAll('#history tbody tr').length)"
    )
    # The line of memory, its single points (a dot is drawn by two), and the rows of the table.
    assert points[0] + points[1] / 2 == points[2] > 1


def test_the_table_is_newest_first(tab: Tab) -> None:
    """The table has the same figures, newest first, under headings."""
    times = tab.evaluate(
        "[...document.querySelectorAll('#history tbody tr')].map((row) => Number(row.dataset.time))"
    )
    assert times == sorted(times, reverse=True)
    headings = tab.evaluate(
        "[...document.querySelectorAll('#history thead th')].map((cell) => cell.textContent)"
    )
    assert headings[:2] == ["Time", "Deliveries a second: deliveries"]
    cells = tab.evaluate("document.querySelector('#history tbody tr').children.length")
    assert cells == len(headings)


def publish(server: GunicornServer) -> None:
    """Append 100 kB to the log, for the slow client alone."""
    body = {
        "request_id": "slow",
        "task_id": "task",
        "event_type": "progress_update",
        "data": "x" * 100_000,
    }
    answer = request(server.port, "POST", "/api/testing/sse/task-event", json_body=body)
    assert answer.status == 200, answer.body


def test_a_slow_client_is_a_warning(tab: Tab, server: GunicornServer) -> None:
    """A client that does not read is told as a warning, in words, until it is gone."""
    warning = "document.querySelector('[data-kind=far_behind]')"
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.port))
        slow.sendall(request_bytes("GET", "/api/sse/stream?request_id=slow"))
        slow.recv(1)  # the stream is open
        until(tab, f"{warning} !== null", lambda: publish(server))
        text = tab.text("[data-kind=far_behind]")
        assert text.startswith("Warning 1 stream is more than 1 MiB behind, at most ")
        until(tab, f"{figure('Slow clients')}.startsWith('1 stream is behind, at most ')")
    until(tab, f"{warning} === null")


def test_a_gap(tab: Tab, server: GunicornServer) -> None:
    """While the server is away the page says so, and then shows the time without figures."""
    as_of = "document.querySelector('#as-of').textContent"
    os.kill(server.worker_pid(), signal.SIGSTOP)
    try:
        until(tab, f"{as_of}.startsWith('No new figures since')")
        stopped_at = tab.evaluate("window.sampled.at(-1)")
    finally:
        os.kill(server.worker_pid(), signal.SIGCONT)
    until(tab, f"window.sampled.at(-1) > {stopped_at}")
    until(tab, "document.querySelectorAll('.chart .gap').length >= 9")
    until(tab, f"{as_of}.startsWith('As of')")


def test_without_a_stream(tab: Tab) -> None:
    """While the stream is closed, the page loads the figures; then they come as events again."""
    use = "async () => (await import('/console/static/page.js')).stream"
    tab.evaluate(f"{use}.close()")
    last = tab.evaluate("window.sampled.at(-1)")
    newest = "Number(document.querySelector('#history tbody tr').dataset.time)"
    until(tab, f"{newest} > {last + 1000}")
    assert tab.evaluate("window.sampled.at(-1)") == last
    tab.evaluate(f"{use}.reconnect()")
    until(tab, f"window.sampled.at(-1) > {last}")


def test_a_reload_of_the_server(tab: Tab, server: GunicornServer) -> None:
    """The page registers with the new process, and keeps what the old one has sent."""
    old = server.worker_pid()
    server.send_signal(signal.SIGHUP)
    wait_until(lambda: not os.path.exists(f"/proc/{old}"), "the old process to end")
    seen = tab.evaluate("window.sampled")
    until(tab, f"window.sampled.length > {len(seen) + 2}")
    until(tab, IS_DRAWN)


def test_a_gateway_elsewhere(tab: Tab) -> None:
    """The page says in words that a figure is not known, and draws nothing."""
    words = tab.evaluate(
        """async () => {
          const { CHARTS, FIGURES } = await import("/console/static/operations-figures.js");
          const { Chart } = await import("/console/static/operations-chart.js");
          const sample = {
            time: 1, deliveries_per_second: 0, events_per_second: 0, streams: 3, opened: 4,
            closed: 1, broadcast_ms: null, longest_broadcast_ms: null, loop_lag_ms: 1500,
            memory_bytes: null, tasks_running: 0, tasks_waiting: 0, gateway: null,
          };
          const limits = { max_streams: null, replays: false, max_tasks_running: 4 };
          const chart = new Chart(CHARTS.find(({ title }) => title === "Log position"));
          chart.draw([sample], [], 600);
          return [...FIGURES.map(([, words]) => words(sample, limits)), chart.element.textContent];
        }"""
    )
    not_here = "not known here, because another gateway serves the streams"
    assert words[:2] == [
        "3 open; 4 opened and 1 ended since the start",
        "0 a second (0 events a second)",
    ]
    assert words[2:7] == [
        "no broadcast in the last five seconds",
        "busy for at most 1.5 s at a time",
        "unknown",
        not_here,
        not_here,
    ]
    assert "newest event no figures; oldest event no figures" in words[-1]
