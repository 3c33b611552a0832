"""The page Tasks and the world around it: a server that crashes, the clipboard, files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gateway_shim.parity.ports import free_port
from tests.browser.console.sample_tasks import APP_TASKS
from tests.browser.console.tasks_page import TasksPage
from tests.browser.tabs import Browser
from tests.support.backend_client import start_task
from tests.support.processes.server import Server, ServeServer
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("chromium", "playwright")


def test_copy_and_download(chromium: Browser, tmp_path: Path) -> None:
    """The id of a task is copied, and its result is saved as a file."""
    permissions = ["clipboard-read", "clipboard-write"]
    with ServeServer() as server, chromium.context(permissions=permissions) as context:
        page = TasksPage.open(context, server)
        page.tab.cdp("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
        task = page.start("demo_task", Steps="1", Delay="0")
        page.wait_for_state(task, "Completed")
        assert page.count_words() == "1 task."
        page.press(task, "Copy id")
        page.wait("document.querySelector('.task-id button').textContent === 'Copied'")
        assert page.tab.evaluate("navigator.clipboard.readText()") == task
        shown = page.open_part(task, "Result")
        page.press(task, "Download")
        saved = tmp_path / f"demo_task-{task}.json"
        wait_until(saved.exists, "the file")
        assert saved.read_text() == shown


def test_a_crash(chromium: Browser, tmp_path: Path) -> None:
    """The page says what has become of its task, and starts it again with the same params."""
    command = [sys.executable, "-m", "app", "serve", "--port", "{port}"]
    env = {"APP_TASKS": APP_TASKS, "SSE_STATE_DIR": str(tmp_path / "state")}
    port = free_port()
    with chromium.context() as context:
        with Server(command, env=env, port=port) as server:
            page = TasksPage.open(context, server)
            lost = page.start("gated_task", Gate=str(tmp_path / "gate"))
            page.wait_for_state(lost, "Running")
            server.kill()
            page.wait("document.querySelector('#connection').textContent !== 'open'")
            page.press(lost, "Cancel")
            problem = f"document.querySelector('[data-task=\"{lost}\"] > [role=alert]')"
            page.wait(f"!{problem}.hidden")
        (tmp_path / "gate").touch()
        with Server(command, env=env, port=port) as server:
            page.wait_for_state(lost, "Failed")
            assert page.row(lost, ".task-error") == (
                "its server process ended while it was running; start it again"
            )
            assert page.tab.evaluate(f"{problem}.hidden")  # It was about the cancel.
            page.press(lost, "Retry")
            page.wait(
                "document.querySelector('[data-task] .task-state').textContent === 'Completed'"
            )
            later = start_task(server, "demo_task", steps=1, delay=0)
            page.wait_for_state(later, "Completed")
            assert len(page.ids) == len({*page.ids, lost, later}) == 3
