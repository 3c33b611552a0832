"""The page Tasks in Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.console.sample_tasks import APP_TASKS, HOSTILE
from tests.browser.console.tasks_page import TasksPage, all_are_over, forget_all
from tests.browser.tabs import Browser, Context
from tests.support.backend_client import start_task
from tests.support.http.client import request
from tests.support.processes.server import Server, ServeServer
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("chromium", "playwright")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server for the tests of this module, with small limits."""
    files = tmp_path_factory.mktemp("files")
    (files / "a").write_text("a")
    env = {
        "APP_TASKS": APP_TASKS,
        "TASK_FILES_ROOT": str(files),
        "TASK_MAX_WORKERS": "2",
        "TASK_MAX_WAITING_BYTES": "20000",
    }
    with ServeServer(env=env) as server:
        yield server


@pytest.fixture
def context(chromium: Browser, server: Server) -> Iterator[Context]:
    """Open a context for a server without tasks."""
    forget_all(server)
    with chromium.context() as context:
        yield context


def test_a_task_from_the_form(context: Context, server: Server, tmp_path: Path) -> None:
    """A task is started, watched, and its result is shown; another one is cancelled."""
    page = TasksPage.open(context, server)
    gate = tmp_path / "gate"
    task = page.start("gated_task", Gate=str(gate))
    page.wait_for_state(task, "Running")
    page.wait(f"document.querySelector('[data-task=\"{task}\"] progress').value === 0.25")
    assert "Waiting at the gate" in page.row(task)
    assert page.row(task, ".task-percent") == "25 %"
    gate.touch()
    page.wait_for_state(task, "Completed")
    assert page.count_words() == "1 task."
    assert json.loads(page.open_part(task, "Result")) == {"text": "through", "more": {}}
    assert json.loads(page.open_part(task, "Params")) == {"gate": str(gate)}
    digest = page.start("digest_tree", Path=".")
    page.wait_for_state(digest, "Completed")
    assert page.ids == [digest, task]
    assert page.tab.complaints == []


def test_the_time_left(context: Context, server: Server) -> None:
    """A task that goes on steadily says how long it still needs."""
    page = TasksPage.open(context, server)
    task = page.start("demo_task", Steps="1000", Delay="0.05")
    page.wait("/^about .* left$/.test(document.querySelector('.task-left').textContent)")
    page.press(task, "Cancel")
    page.wait_for_state(task, "Cancelled")
    assert page.tab.text(".task-left") == ""


def test_cancel_and_retry(context: Context, server: Server, tmp_path: Path) -> None:
    """A task is cancelled, started again with the same params, and removed."""
    page = TasksPage.open(context, server)
    gate = tmp_path / "gate"
    task = page.start("gated_task", Gate=str(gate))
    page.press(task, "Cancel")
    page.wait_for_state(task, "Cancelled")
    page.wait("document.activeElement.textContent === 'Retry'")  # where Cancel was
    gate.touch()
    page.press(task, "Retry")
    page.wait("document.querySelectorAll('[data-task]').length === 2")
    again = page.ids[0]
    assert again != task
    page.wait_for_state(again, "Completed")
    page.press(again, "Remove")
    page.wait("document.querySelectorAll('[data-task]').length === 1")
    assert request(server.port, "GET", f"/api/tasks/{again}/status").status == 404


def test_a_failure(context: Context, server: Server) -> None:
    """The error of a task is shown, and the task is found by it."""
    page = TasksPage.open(context, server)
    page.wait_for_state(start_task(server, "demo_task", steps=1, delay=0), "Completed")
    task = page.start("failing_task", Steps="2", Delay="0", **{"Error Message": "It is broken"})
    page.wait_for_state(task, "Failed")
    assert page.row(task, ".task-error") == "It is broken"
    page.tab.fill("#filter-text", "IS BROKEN")
    page.wait(f"document.querySelectorAll('[data-task=\"{task}\"]:only-child').length === 1")
    assert page.count_words().startswith("1 of 2 tasks match")
    page.tab.fill("#filter-text", "")
    page.tab.locate("#filter-state", "select_option", "completed")
    page.wait("document.querySelector('.task-type').textContent === 'demo_task'")
    page.tab.locate("#filter-type", "select_option", "failing_task")
    page.wait("document.querySelector('#list-empty').checkVisibility()")
    assert page.tab.text("#list-empty") == "No task matches the filter."


def test_params_that_are_refused(context: Context, server: Server) -> None:
    """The server's own message is at the field, and nothing of what was typed is lost."""
    page = TasksPage.open(context, server)
    page.choose("params_task")
    page.fill("Count", "1o")
    page.fill("Size", "[1")
    page.fill("Token", "ab")
    page.tab.click("#start button[type=submit]")
    assert page.problem("Size").startswith("This is not JSON: ")
    page.fill("Size", '{"width": "wide"}')
    page.tab.click("#start button[type=submit]")
    page.wait("document.activeElement.closest('.field')?.textContent.startsWith('Count')")
    assert page.problem("Count").startswith("Input should be a valid integer")
    assert page.problem("Size").startswith("width: Input should be a valid integer")
    assert "at least 3" in page.problem("Token")
    assert page.tab.text("#start-problem").startswith("Invalid params for params_task; allowed:")
    assert page.typed("Count") == "1o"
    page.choose("digest_tree")
    page.fill("Path", "../..")
    page.tab.click("#start button[type=submit]")
    page.wait("document.querySelector('[aria-invalid]')")
    assert page.problem("Path").startswith("the path")
    page.choose("params_task")
    assert [page.typed(label) for label in ("Count", "Token")] == ["1o", ""]


def test_secrets(context: Context, server: Server) -> None:
    """A secret is sent once. To start the task again, a person enters it again."""
    page = TasksPage.open(context, server)
    page.choose("params_task")
    page.tab.click("label:text('Loud')")
    page.tab.locate(".field:has(label:text('Color')) select", "select_option", "green")
    task = page.start("params_task", Count="3", Size='{"width": 2}', Either="5", Token="s3cret")
    page.wait_for_state(task, "Completed")
    assert page.typed("Token") == ""
    result = json.loads(page.open_part(task, "Result"))
    assert result["text"] == "s3cret"
    assert result["more"] == {
        "count": "3",
        "share": "None",
        "loud": "True",
        "color": "'green'",
        "size": "Size(width=2, height=1)",
        "either": "5",
        "token": "SecretStr('**********')",
    }
    page.fill("Count", "4")
    page.press(task, "Retry")
    page.wait("document.querySelector('#start-problem').checkVisibility()")
    assert page.tab.text("#start-problem").endswith("start the task: token.")
    assert [page.typed(label) for label in ("Count", "Either", "Token")] == ["3", "5", ""]
    page.wait("document.activeElement.type === 'password'")
    assert len(page.ids) == 1


def test_other_params(context: Context, server: Server) -> None:
    """A task that accepts params of any name has a field for them."""
    page = TasksPage.open(context, server)
    task = page.start("loose_task", Word="b", **{"Other params": '{"x": [1], "y": "<b>"}'})
    page.wait_for_state(task, "Completed")
    assert json.loads(page.open_part(task, "Result")) == (
        {"text": "b", "more": {"x": "[1]", "y": "'<b>'"}}
    )


def test_what_runs_when_the_page_is_opened(
    context: Context, server: Server, tmp_path: Path
) -> None:
    """Tasks that run or wait are there, and go on; the page has no stream of its own before."""
    gate = tmp_path / "gate"
    tasks = [start_task(server, "gated_task", gate=str(gate)) for _ in range(3)]
    page = TasksPage.open(context, server)
    assert page.ids == tasks[::-1]
    page.wait_for_state(tasks[0], "Running")
    page.wait_for_state(tasks[2], "Waiting")
    gate.touch()
    for task in tasks:
        page.wait_for_state(task, "Completed")
    later = start_task(server, "demo_task", steps=1, delay=0)  # not by this page
    page.wait_for_state(later, "Completed")
    assert page.row(later, ".task-type") == "demo_task"


def test_a_server_that_is_full_or_away(context: Context, server: Server, tmp_path: Path) -> None:
    """The page says what is wrong in words, and keeps what was typed."""
    for path in ("gate", "gate", "g" * 19_600):  # the last one waits
        start_task(server, "gated_task", gate=str(tmp_path / path))
    page = TasksPage.open(context, server)
    typed = "t" * 499
    page.choose("failing_task")
    page.fill("Error Message", typed)
    page.tab.click("#start button[type=submit]")
    page.wait("document.querySelector('#start-problem').checkVisibility()")
    assert page.tab.text("#start-problem").endswith("Try again in 10 s.")
    context.call("set_offline", True)
    page.tab.click("#start button[type=submit]")
    page.wait("document.querySelector('#start-problem').textContent.includes('does not answer')")
    assert page.typed("Error Message") == typed
    context.call("set_offline", False)
    forget_all(server)
    page.tab.click("#start button[type=submit]")
    page.wait("document.querySelector('[data-state=failed]')")


def test_hostile_texts(context: Context, server: Server) -> None:
    """HTML, marks of direction and huge texts are shown as texts, and shortened."""
    page = TasksPage.open(context, server)
    page.choose("hostile_task")
    assert page.tab.text("#task-help").startswith("A task with hostile texts: <b onclick='hack()'>")
    task = page.start("hostile_task", Size="300000")
    page.wait_for_state(task, "Completed")
    words = f"document.querySelector('[data-task=\"{task}\"] .task-words').textContent"
    assert page.tab.evaluate(words).startswith(HOSTILE)
    assert page.tab.evaluate(words).endswith("…")
    page.press(task, "Show all")
    assert len(page.tab.evaluate(words)) == 1000
    page.open_part(task, "Result")
    shown = "document.querySelector('[data-task] pre').textContent"
    assert page.tab.evaluate(f"{shown}.length") == 20_000
    page.tab.click("button:text('Show all of 293 KiB')")
    text = page.tab.evaluate(shown)
    assert "\u202e" not in text
    assert json.loads(text) == {"text": HOSTILE, "more": {HOSTILE: "y" * 300_000}}
    failed = start_task(server, "hostile_task", fails=True)
    page.wait_for_state(failed, "Failed")
    assert page.tab.evaluate("document.querySelector('.task-error span').textContent") == HOSTILE
    assert page.tab.evaluate("document.querySelectorAll('main :is(img, script)').length") == 0
    assert page.tab.evaluate("window.hacked") is None
    assert page.tab.complaints == []


def test_the_keyboard(context: Context, server: Server) -> None:
    """A task is started without a mouse."""
    page = TasksPage.open(context, server)
    page.tab.locate("#task-type", "focus")
    page.tab.call("keyboard.type", "demo")
    for _ in range(2):
        page.tab.call("keyboard.press", "Tab")
    page.tab.call("keyboard.press", "Control+A")
    page.tab.call("keyboard.type", "0")
    page.tab.call("keyboard.press", "Enter")
    page.wait("document.querySelector('[data-state=completed]')")
    page.wait("document.querySelector('#spoken').textContent === 'demo_task: Completed.'")


def test_many_tasks(context: Context, server: Server) -> None:
    """The list is paged on the server, and more of it is loaded on demand."""
    page = TasksPage.open(context, server)
    page.start_many(200)
    wait_until(lambda: all_are_over(server), "the end of all tasks")
    page.tab.reload()
    page.wait_until_ready()
    rows = "document.querySelectorAll('[data-task]').length"
    page.wait(f"{rows} === 50")
    assert page.count_words() == "50 tasks. There are older ones."
    context.call("set_offline", True)
    page.tab.click("#more")
    page.wait("document.querySelector('#list-problem').checkVisibility()")
    assert page.tab.text("#list-problem-text").startswith("The list could not be read. The server")
    context.call("set_offline", False)
    page.tab.click("#list-again")
    page.wait("!document.querySelector('#list-problem').checkVisibility()")
    page.wait(f"{rows} === 100")
    for count in (150, 200):
        page.tab.click("#more")
        page.wait(f"{rows} === {count}")
    page.wait("!document.querySelector('#more').checkVisibility()")
    assert len(set(page.ids)) == 200


def test_a_rush_of_events(context: Context, server: Server) -> None:
    """All events that come before a frame are drawn in that frame."""
    page = TasksPage.open(context, server)
    page.tab.evaluate("""async () => {
        const { stream } = await import("/console/static/page.js");
        const frame = () => new Promise((done) => requestAnimationFrame(done));
        await frame().then(frame);
        window.held = [];
        window.requestAnimationFrame = (draw) => window.held.push(draw);
        stream.on("task_event", (event) => { window.last = event.event_type; });
    }""")
    task = start_task(server, "rush_task", updates=1000)
    page.wait("window.last === 'task_completed'")
    assert page.tab.evaluate("window.held.length") == 1
    assert page.ids == []
    page.tab.evaluate("window.held.pop()()")
    assert page.row(task, ".task-text") == "Update 1000"
    page.wait_for_state(task, "Completed")
