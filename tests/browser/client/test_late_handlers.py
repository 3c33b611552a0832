"""A handler that is registered late gets the version, and what is known of a task."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.client.rig.site import Site, result_of
from tests.browser.tabs import Context, Tab
from tests.support.http.client import request
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("chromium", "playwright")

FOLLOW = """async id => {
  const seen = [];
  for await (const event of stream.task(id)) seen.push(event);
  return seen;
}"""

STORY = ["task_started", "progress_update", "progress_update", "task_completed"]


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """Return the types of task events."""
    return [event["event_type"] for event in events]


def wait_for_end(tab: Tab) -> None:
    """Wait until a page has got the last event of a task."""
    tab.wait_for("events.some(([, text]) => text.includes('task_completed'))")


def test_version(site: Site, context: Context) -> None:
    """The last version is given to a handler that comes after it, in the first tab and the next."""
    first = site.tab(context)
    first.wait_for("names.includes('version')")
    second = site.tab(context)
    for tab in (first, second):
        late = result_of(tab, "() => new Promise(done => stream.on('version', done))")
        assert late == tab.evaluate("stream.version")
        assert set(late) == {"version"}


def test_a_handler_that_was_removed(site: Site, context: Context) -> None:
    """A handler that is removed in the same step is not called, and no other one either."""
    tab = site.tab(context)
    tab.wait_for("names.includes('version')")
    tab.evaluate(
        "() => { window.calls = 0; const count = () => { calls += 1; };"
        " stream.on('version', count)(); stream.onState(count)(); stream.tap(count)(); }"
    )
    assert site.numbers().problems_of(tab) == []
    assert tab.evaluate("calls") == 0


def test_a_task_that_has_ended(site: Site, context: Context) -> None:
    """A task that is followed after its end has all its events, its handlers and promises, too."""
    tab = site.tab(context)
    task = site.start_task(steps=2, delay=0)
    wait_for_end(tab)
    assert kinds(result_of(tab, FOLLOW, task)) == STORY
    last = result_of(tab, "id => stream.task(id).finished", task)
    assert last["data"]["steps"] == 2
    handled = result_of(
        tab,
        "id => new Promise(done => { const seen = []; stream.task(id).on(event => {"
        " seen.push(event); if (event.event_type === 'task_completed') done(seen); }); })",
        task,
    )
    assert kinds(handled) == STORY
    late = site.tab(context)  # the worker knows the task
    assert kinds(result_of(late, FOLLOW, task)) == STORY


def test_a_task_that_nobody_has_seen(site: Site, context: Context) -> None:
    """A task that ended before the stream was opened is read from its status."""
    task = site.start_task(steps=2, delay=0)
    status = f"/api/tasks/{task}/status"
    wait_until(
        lambda: b'"completed"' in request(site.server.port, "GET", status).body, "the end of a task"
    )
    tab = site.tab(context)
    events = result_of(tab, FOLLOW, task)
    assert kinds(events) == ["task_completed"]
    assert events[0]["data"]["steps"] == 2


def test_events_overtake_the_answer(site: Site, context: Context) -> None:
    """The events that arrive before the answer of ``POST /api/tasks`` are not lost."""
    tab = site.tab(context)
    with site.proxy.holding("POST", "/api/tasks"):
        tab.evaluate(
            "() => { window.started = fetch('/api/tasks', { method: 'POST',"
            " headers: { 'Content-Type': 'application/json' },"
            " body: JSON.stringify({ task_type: 'demo_task', params: { steps: 2, delay: 0 } }) })"
            ".then(response => response.json()); }"
        )
        wait_for_end(tab)
    task = result_of(tab, "() => started.then(({ task_id: id }) => id)")
    assert kinds(result_of(tab, FOLLOW, task)) == STORY


def test_a_task_that_runs(site: Site, context: Context) -> None:
    """A task that is followed from its start gives each event once, and then ends."""
    tab, other = site.tabs(context, 2)
    task = site.start_task(steps=20, delay=0.01)
    events = result_of(tab, FOLLOW, task)
    assert kinds(events) == ["task_started", *["progress_update"] * 20, "task_completed"]
    assert kinds(result_of(other, FOLLOW, task)) == kinds(events)


def test_a_status_overtakes_the_events(site: Site, context: Context) -> None:
    """An event that the status of a task contains already is not given a second time."""
    tab = site.tab(context)
    with site.proxy.delaying_streams():
        task = site.start_task(steps=1000, delay=1)
        tab.evaluate(
            "id => { window.kinds = []; const task = stream.task(id);"
            " task.on(({ event_type: kind }) => kinds.push(kind)); window.ended = task.finished; }",
            task,
        )
        tab.wait_for("kinds.length === 2")
        assert tab.evaluate("kinds") == ["task_started", "progress_update"]
    assert request(site.server.port, "POST", f"/api/tasks/{task}/cancel").status == 200
    result_of(tab, "() => ended")
    told = tab.evaluate("kinds")
    assert told.count("task_started") == told.count("task_cancelled") == 1


def test_an_unknown_task(site: Site, context: Context) -> None:
    """A task that the server does not know ends with an event of the client's own."""
    tab = site.tab(context)
    events = result_of(tab, FOLLOW, "nothing/../of that name")
    assert [(event["event_type"], event["data"]["error"]) for event in events] == [
        ("task_unknown", "the server does not know this task")
    ]


def test_a_connection_that_is_closed(site: Site, context: Context) -> None:
    """Closing the connection ends the loop over a task, and rejects the promise of its end."""
    tab = site.tab(context)
    task = site.start_task(steps=1000, delay=1)
    result_of(
        tab,
        "id => { const task = stream.task(id);"
        " window.ended = task.finished.catch(error => error.message);"
        " window.looped = (async () => { for await (const _ of task); return 'over'; })();"
        " return new Promise(done => { task.on(done); }); }",
        task,
    )
    tab.evaluate("stream.close()")
    assert "closed before the task has ended" in result_of(tab, "() => ended")
    assert result_of(tab, "() => looped") == "over"
    assert request(site.server.port, "POST", f"/api/tasks/{task}/cancel").status == 200
