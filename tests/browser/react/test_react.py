"""The hooks for React that docs/frontend.md shows, in StrictMode, which mounts everything twice."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.packages_folder import installed_packages
from tests.browser.tabs import Browser, Tab
from tests.browser.vite.page_server import PageServer
from tests.browser.vite.vite_app import copy_client
from tests.support.backend_client import active_streams, metric, start_task
from tests.support.http.client import request
from tests.support.processes.server import GunicornServer, Server
from tests.support.timing import TIME_LIMIT, wait_until

pytestmark = pytest.mark.needs("chromium", "playwright", "npm")

APP = Path(__file__).parent / "app"
STREAM = Path(__file__).parents[1] / "vite" / "app" / "src" / "stream.js"

CONNECTS = 'sse_gateway_connections_total{action="connect"}'


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a backend."""
    with GunicornServer() as server:
        yield server


@pytest.fixture(scope="module")
def pages(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve the app, packed with React's development build, in which StrictMode works."""
    app = tmp_path_factory.mktemp("react")
    shutil.copytree(APP, app, dirs_exist_ok=True)
    shutil.copy(STREAM, app)
    copy_client(app)
    packages = installed_packages()
    (app / "node_modules").symlink_to(packages)
    pack = ["--bundle", "--format=esm", "--jsx=automatic", "--external:./sse-client.js"]
    subprocess.run(
        [str(packages / "esbuild" / "bin" / "esbuild"), "main.jsx", *pack, "--outfile=main.js"],
        cwd=app,
        capture_output=True,
        timeout=TIME_LIMIT,
        check=True,
    )
    with PageServer(app, server.port) as pages:
        yield pages


@pytest.fixture
def tab(chromium: Browser, pages: PageServer, server: Server) -> Iterator[Tab]:
    """Open the app, in which nothing is mounted yet, once the tab of the test before is gone."""
    wait_until(lambda: active_streams(server) == 0, "the streams of the test before to end")
    with chromium.context() as context:
        tab = context.tab(pages.origin)
        tab.wait_for("stream.version")
        yield tab
        assert tab.complaints == []


def mount(tab: Tab) -> None:
    """Mount the app's components, and wait until they are shown."""
    tab.evaluate("mount()")
    tab.wait_for("document.querySelector('main') !== null")


def texts(tab: Tab) -> list[str]:
    """Return the text of each task's component."""
    shown: list[str] = tab.locate(".task", "all_inner_texts")
    return shown


def test_one_stream(tab: Tab, server: Server) -> None:
    """StrictMode subscribes twice, but opens one stream. It stays open while nothing is mounted."""
    mount(tab)
    tab.wait_for("subscriptions.made === 4")
    assert tab.evaluate("subscriptions.open") == 2
    assert tab.text("#state") == "open"
    assert tab.text("#version") == tab.evaluate("stream.version.version")
    connects = metric(server, CONNECTS)
    tab.evaluate("unmount()")
    tab.wait_for("subscriptions.open === 0")
    mount(tab)
    tab.wait_for("subscriptions.open === 2")
    assert tab.text("#version") == tab.evaluate("stream.version.version")  # a late handler has it
    assert (active_streams(server), metric(server, CONNECTS)) == (1, connects)


def test_states_render(tab: Tab) -> None:
    """A component shows each change of the state."""
    mount(tab)
    tab.wait_for("document.querySelector('#state')?.textContent === 'open'")
    tab.evaluate("stream.close()")
    tab.wait_for("document.querySelector('#state').textContent === 'closed'")
    tab.evaluate("stream.reconnect()")
    tab.wait_for("document.querySelector('#state').textContent === 'open'")


def test_tasks_render(tab: Tab, server: Server) -> None:
    """A component shows a task's progress and its end. A late component shows what is known."""
    mount(tab)
    task = start_task(server, "demo_task", steps=1000, delay=0.05)
    tab.evaluate("id => setTasks([id])", task)
    tab.wait_for("/^running, 0\\.\\d+/.test(document.querySelector('.task')?.textContent)")
    before = tab.text(".task")
    tab.wait_for("text => document.querySelector('.task').textContent !== text", before)
    assert request(server.port, "POST", f"/api/tasks/{task}/cancel").status == 200
    tab.wait_for("document.querySelector('.task').textContent.startsWith('cancelled')")
    done = start_task(server, "demo_task", steps=2, delay=0)
    tab.evaluate("ids => setTasks(ids)", [task, task, done, None])
    tab.wait_for("document.querySelectorAll('.task')[2]?.textContent === 'completed, 1, 2'")
    shown = texts(tab)
    assert shown[0] == shown[1]
    assert shown[3] == "pending, ,"
    tab.evaluate("setTasks([])")
    tab.wait_for("subscriptions.open === 2")


def test_another_task(tab: Tab, server: Server) -> None:
    """A component that is given another task shows nothing of the one before."""
    mount(tab)
    first, second = (start_task(server, "demo_task", steps=steps, delay=0) for steps in (3, 4))
    tab.evaluate("id => setTasks([id])", first)
    tab.wait_for("document.querySelector('.task')?.textContent === 'completed, 1, 3'")
    tab.evaluate("id => setTasks([id])", second)
    tab.wait_for("document.querySelector('.task').textContent === 'completed, 1, 4'")
    assert tab.evaluate("subscriptions.open") == 3


def test_a_task_of_the_page_before(tab: Tab, server: Server) -> None:
    """After a reload, a component shows a task that ended before, by its status."""
    task = start_task(server, "demo_task", steps=3, delay=0)
    tab.evaluate("(id) => { stream.task(id).on((event) => { last = event.event_type; }); }", task)
    tab.wait_for("window.last === 'task_completed'")
    tab.reload()
    mount(tab)
    tab.evaluate("id => setTasks([id])", task)
    tab.wait_for("/^completed, 1?, 3$/.test(document.querySelector('.task')?.textContent)")
