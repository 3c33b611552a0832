"""``tasks-model.js``: what the page knows of tasks, from lists and events in any order."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.console import tasks
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.needs("node")

MODEL = Path(tasks.__file__).parent / "static" / "tasks-model.js"

HELPERS = """
const model = new m.TaskModel();
const at = (second) => `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`;
const event = (id, kind, data = {}, second = 1) =>
  ({ task_id: id, event_type: kind, data, timestamp: at(second) });
const started = (id, second) => event(id, "task_started", { task_type: "demo" }, second);
const moved = (id, value, second) =>
  event(id, "progress_update", { text: `at ${value}`, value }, second);
const listed = (id, status, value = 0, second = 0) => ({
  task_id: id, task_type: "demo", status, created_at: at(second), error: null,
  started_at: status === "pending" ? null : at(second),
  finished_at: m.isOver(status) ? at(second + 1) : null,
  progress: { text: `listed ${value}`, value },
});
const shown = () => model.newestFirst.map((t) => [t.id, t.status, t.progress.value]);
"""


def run(script: str) -> Any:
    """Run a script with the model in Node.js, and return what it returns."""
    code = base64.b64encode(MODEL.read_bytes()).decode()
    text = (
        f'const m = await import("data:text/javascript;base64,{code}");{HELPERS}'
        f"console.log(JSON.stringify((() => {{{script}}})()));"
    )
    done = subprocess.run(
        ["node", "--input-type=module", "-"],
        input=text,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_task_goes_its_way() -> None:
    """The events of a task that is not in the list add a row, and change it."""
    assert run("""
        const story = [];
        const end = event("a", "task_failed", { error: "no" });
        for (const next of [started("a"), moved("a", 0.5), end]) {
          story.push(model.apply(next, ""), ...shown());
        }
        return [...story, model.tasks.get("a").error];
    """) == [
        True,
        ["a", "running", 0],
        True,
        ["a", "running", 0.5],
        True,
        ["a", "failed", 0.5],
        "no",
    ]  # fmt: skip


def test_an_end_is_final() -> None:
    """No event and no list takes a task back that is over."""
    assert run("""
        model.replace([listed("a", "completed", 1)], null, model.mark);
        for (const late of [started("a"), moved("a", 0.2), event("a", "task_cancelled")]) {
          model.apply(late, "x-9");
        }
        model.merge([listed("a", "running", 0.3)], null, model.mark);
        return shown()[0].slice(0, 2);
    """) == ["a", "completed"]


def test_events_that_the_list_contains() -> None:
    """They do not change a row, and bring back no task that was removed; an end still counts."""
    assert run("""
        model.replace([listed("a", "running", 0.5), listed("b", "running", 0.5)], "x-10", 0);
        model.apply(moved("a", 0.4), "x-10");
        model.apply(event("b", "task_completed"), "x-9");
        model.apply(started("gone"), "x-8");
        const before = shown();
        model.apply(moved("a", 0.6), "x-11");
        model.apply(started("new", 30), "y-1");
        return [before, shown()];
    """) == [
        [["b", "completed", 0.5], ["a", "running", 0.5]],
        [["new", "running", 0], ["b", "completed", 0.5], ["a", "running", 0.6]],
    ]


def test_a_list_that_was_overtaken() -> None:
    """A change by an event, while a list was on its way, is newer than the list."""
    assert run("""
        model.replace([listed("a", "running", 0.1), listed("b", "pending")], "x-1", model.mark);
        const mark = model.mark;
        model.apply(moved("a", 0.9), "x-3");
        model.apply(started("b"), "x-4");
        model.apply(started("c", 9), "x-5");
        model.replace([listed("b", "pending"), listed("a", "running", 0.2)], "x-2", mark);
        return shown();
    """) == [["c", "running", 0], ["b", "running", 0], ["a", "running", 0.9]]


def test_events_that_came_before_the_list() -> None:
    """A stream that resumes may repeat them: what they add and the list lacks was removed."""
    assert run("""
        const mark = model.mark;
        model.apply(started("removed"), "x-1");
        model.apply(started("a"), "x-2");
        model.apply(moved("a", 0.9), "x-3");
        model.apply(started("new", 9), "x-12");
        model.replace([listed("a", "running", 0.2)], "x-10", mark);
        return shown();
    """) == [["new", "running", 0], ["a", "running", 0.2]]


def test_a_list_replaces_what_was_known() -> None:
    """A task that is not in it any more is forgotten; one that is, has its row."""
    assert run("""
        model.replace([listed("a", "completed", 1), listed("b", "running")], null, model.mark);
        const before = model.tasks.get("b");
        model.replace([listed("b", "running", 0.4)], null, model.mark);
        return [shown(), before === model.tasks.get("b")];
    """) == [[["b", "running", 0.4]], True]


def test_events_of_which_too_little_is_known() -> None:
    """A task that is known from its progress only is looked up; one that has ended is not shown."""
    assert run("""
        const events = [moved("a", 0.5), event("b", "task_completed")];
        return [events.map((e) => model.apply(e, "")), shown()];
    """) == [[False, True], []]


def test_the_number_of_tasks_is_limited() -> None:
    """The oldest that are over go first."""
    assert run("""
        model.apply(started("old", 0), "");
        for (let n = 0; n < 5000; n++) {
          model.apply(started(`t${n}`, 1), "");
          model.apply(event(`t${n}`, "task_completed"), "");
        }
        model.merge([], null, model.mark);
        const newest = model.newestFirst;
        return [newest.length, newest[0].id, newest.at(-1).id, model.isTrimmed];
    """) == [2000, "t4999", "old", True]


def test_the_newest_is_first() -> None:
    """The order is that of the starts, also if a task is learned of late."""
    assert run("""
        const [late, early] = [9, 5].map((second) => listed("c", "running", 0, second));
        late.created_at = "2026-01-01T00:00:05.000002Z";
        early.created_at = "2026-01-01T00:00:05.000001Z";
        model.replace([late, { ...early, task_id: "a" }], "x-1", 0);
        model.apply(started("d", 10), "x-2");
        const between = listed("b", "running");
        between.created_at = "2026-01-01T00:00:05.0000015Z";
        model.merge([between], "x-3", model.mark);
        return shown().map(([id]) => id);
    """) == ["d", "c", "b", "a"]


def test_changes_are_taken_once() -> None:
    """The view draws what has changed, and places rows only if their order may have changed."""
    assert run("""
        const take = () => {
          const { ids, hasNewOrder } = model.takeChanges();
          return [[...ids], hasNewOrder];
        };
        take();
        model.apply(started("a"), "");
        const seen = [take(), take()];
        for (const value of [0.1, 0.2, 0.3]) model.apply(moved("a", value), "");
        seen.push(take());
        model.apply(event("a", "task_cancelled"), "");
        return [...seen, take()];
    """) == [[["a"], True], [[], False], [["a"], False], [["a"], True]]


def test_the_time_left() -> None:
    """It follows from the rate of the last half minute, and is unknown without one."""
    assert run("""
        const left = (now = performance.now()) =>
          Math.round(m.secondsLeft(model.tasks.get("a"), now));
        const seen = [];
        model.apply(started("a", 0), "");
        seen.push(left());
        model.apply(moved("a", 0, 1), "");
        seen.push(left());
        model.apply(moved("a", 0.25, 10), "");
        seen.push(left(), left(performance.now() + 10_000), left(performance.now() + 60_000));
        for (let s = 11; s < 60; s++) model.apply(moved("a", 0.25 + (s - 10) * 0.01, s), "");
        seen.push(left(), model.tasks.get("a").samples.length < 20);
        model.apply(moved("a", 1, 59), "");
        seen.push(left());
        model.apply(event("a", "task_completed", {}, 59), "");
        return [...seen, left()];
    """) == [None, None, 30, 20, None, 26, True, None, None]


def test_events_that_are_not_of_a_task() -> None:
    """Events that were published with this name by hand change nothing, and raise nothing."""
    assert run("""
        const wrong = [null, [], "x", {}, { task_id: 5 }, { task_id: "a" }];
        wrong.push({ task_id: "a", event_type: "task_started", data: null, timestamp: "x" });
        const answers = wrong.map((data) => model.apply(data, "e-1"));
        return [answers.every((answer) => answer === true), shown()];
    """) == [True, []]


def test_values_of_other_types() -> None:
    """A text of another type is shown as a text, and a progress is a part of the whole."""
    assert run("""
        model.apply(event("a", "task_started", { task_type: { b: 1 } }), "e-1");
        model.apply(event("a", "progress_update", { text: [1], value: 1e308 }, 2), "e-2");
        const { type, progress } = model.tasks.get("a");
        const text = [type, progress.text, progress.value];
        model.apply(event("a", "progress_update", { value: "x" }, 3), "e-3");
        model.apply(event("a", "task_failed", { error: { c: 2 } }, 4), "e-4");
        const task = model.tasks.get("a");
        return [...text, task.progress.value, task.progress.text, task.error];
    """) == ['{"b":1}', "[1]", 1, 0, "", '{"c":2}']
