"""Every page and script of docs/frontend.md does what the text says, in a real browser."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.snippets.backend_with_pages import FILES, BackendWithPages, write_pages
from tests.browser.snippets.blocks import SNIPPETS
from tests.browser.tabs import Browser, Tab
from tests.support.backend_client import start_task
from tests.support.parts import CHROMIUM
from tests.support.processes.server import ROOT
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.needs("chromium", "playwright")

HERE = Path(__file__).parent
TESTED_ELSEWHERE = {
    "stream.js": "vite/app/src/stream.js",
    "vite.config.js": "vite/app/vite.config.js",
    "hooks.js": "react/app/hooks.js",
}
"""The scripts that the tests of other folders run, and the files that these tests use."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the pages and scripts, and return their folder."""
    return write_pages(tmp_path_factory.mktemp("snippets"))


@pytest.fixture(scope="module")
def server(pages: Path) -> Iterator[BackendWithPages]:
    """Start a backend."""
    with BackendWithPages(pages) as server:
        yield server


@pytest.fixture
def tab(chromium: Browser, server: BackendWithPages) -> Iterator[Tab]:
    """Open a page with an open stream, and look at its console in the end."""
    with chromium.context() as context:
        tab = server.open_tab(context)
        yield tab
        refused = "error: Failed to load resource"  # what Chromium says of a status such as 404
        assert [text for text in tab.complaints if not text.startswith(refused)] == []


def test_every_script_is_run() -> None:
    """Each script of the page has a test here, or is a file of tests in another folder."""
    source = Path(__file__).read_text(encoding="utf-8")
    for name, text in SNIPPETS.items():
        if name in TESTED_ELSEWHERE:
            file = ROOT / "tests" / "browser" / TESTED_ELSEWHERE[name]
            assert text.strip() in file.read_text(encoding="utf-8")
        else:
            assert name in source


def test_the_first_page(chromium: Browser, server: BackendWithPages) -> None:
    """The page shows the state and the version, and two tabs share one stream."""
    with chromium.context() as context:
        tabs = [context.tab(f"{server.url}/page.html") for _ in range(2)]
        for tab in tabs:
            tab.wait_for("document.querySelector('#state').textContent === 'open'")
            tab.wait_for("document.querySelector('#version').textContent !== ''")
        server.wait_for_streams(1)
        server.announce("7.1.0")
        for tab in tabs:
            tab.wait_for("document.querySelector('#version').textContent === '7.1.0'")
    server.wait_for_streams(0)


def test_run(tab: Tab) -> None:
    """run.js starts a task, reports its progress, and returns its result."""
    result, progress = tab.evaluate(
        """async () => {
          const { run } = await import("/run.js");
          const progress = [];
          const onProgress = ({ value }) => progress.push(value);
          return [await run("demo_task", { steps: 2, delay: 0 }, onProgress), progress];
        }"""
    )
    assert result["steps"] == 2
    assert progress == [0.5, 1.0]


@pytest.mark.parametrize(
    ("task_type", "message"),
    [("failing_task", "This task was asked to fail"), ("fish", "Unknown task type")],
)
def test_run_fails(tab: Tab, task_type: str, message: str) -> None:
    """run.js raises the task's error, or the server's refusal, as a sentence."""
    run = "async (type) => (await import('/run.js')).run(type, {}).catch((error) => error.message)"
    assert message in tab.evaluate(run, task_type)


def test_run_is_cancelled(tab: Tab) -> None:
    """run.js raises an error when somebody cancels the task."""
    tab.evaluate(
        """async () => {
          const { run } = await import("/run.js");
          const onProgress = (step) => (window.step = step);
          run("demo_task", { steps: 600, delay: 0.1 }, onProgress).catch(({ message }) => {
            window.message = message;
          });
        }"""
    )
    tab.wait_for("window.step")
    tab.evaluate(
        """async () => {
          const { tasks } = await (await fetch("/api/tasks?limit=1")).json();
          await fetch(`/api/tasks/${tasks[0].task_id}/cancel`, { method: "POST" });
        }"""
    )
    tab.wait_for("window.message === 'The task was cancelled.'")


def test_run_with_a_large_result(tab: Tab) -> None:
    """run.js asks for a result of which the event has only a part."""
    files = tab.evaluate(
        """async () => {
          stream.on("task_event", ({ omitted }) => (window.omitted ??= omitted));
          const { run } = await import("/run.js");
          return (await run("digest_tree", { path: "." })).files;
        }"""
    )
    assert len(files) == FILES
    assert tab.evaluate("omitted") == ["files"]


def test_unknown_task(tab: Tab) -> None:
    """A task that the server does not know ends with the client's own event."""
    last = tab.evaluate("stream.task('none').finished")
    assert (last["event_type"], last["task_id"]) == ("task_unknown", "none")


def test_show_state(tab: Tab) -> None:
    """show-state.js is silent over a short interruption, then says what is wrong, with a button."""
    shown = tab.evaluate(
        """async () => {
          const { showState } = await import("/show-state.js");
          const [text, button] = [...document.body.children];
          let [say, clicks] = [null, 0];
          const onState = (handler) => (say = handler);
          showState({ onState, reconnect: () => (clicks += 1) }, text, button);
          const shown = (state, detail) => {
            say(state, { reason: "", status: 0, retryAt: 0, ...detail });
            button.click();
            return [state, text.textContent, !button.hidden];
          };
          return [
            shown("connecting"),
            shown("waiting", { reason: "the server answered 502", retryAt: Date.now() + 900 }),
            shown("lost", { reason: "the server answered 502", retryAt: Date.now() + 3_900 }),
            shown("open"),
            shown("closed", { reason: "the server has closed the stream" }),
            clicks,
          ];
        }"""
    )
    assert shown == [
        ["connecting", "", False],
        ["waiting", "", False],
        ["lost", "No live updates: the server answered 502. Trying again in 4 s.", True],
        ["open", "", False],
        ["closed", "No live updates: the server has closed the stream.", True],
        5,
    ]


def test_ask(tab: Tab) -> None:
    """ask.js asks a busy server again, after its Retry-After or a little longer, five times."""
    answers, pauses = tab.evaluate(
        """async () => {
          const { ask } = await import("/ask.js");
          const pauses = [];
          const realTimeout = window.setTimeout; // The stream has timers, too, of some seconds.
          window.setTimeout = (go, pause) =>
            pause < 700_000 ? realTimeout(go, pause) : pauses.push(pause) && go();
          const headers = { "Retry-After": "700" };
          const busy = () => new Response('{"error":{"message":"busy"}}', { status: 503, headers });
          const replies = [busy(), new Response("[1]"), new Response("<p>", { status: 502 })];
          window.fetch = async () => replies.shift() ?? busy();
          const asked = () => ask("/x").catch(({ message }) => message);
          return [[await asked(), await asked(), await asked()], pauses];
        }"""
    )
    assert answers == [[1], "status 502", "busy"]
    assert len(pauses) == 5
    assert all(700_000 <= pause <= 1_050_000 for pause in pauses)


def test_version(tab: Tab) -> None:
    """version.js compares versions, and an unknown version is not another one."""
    tab.evaluate("async () => Object.assign(window, await import('/version.js'))")
    versions = ["1", "2", "unknown"]
    outdated = tab.evaluate("(all) => all.map((version) => isOutdated('1', { version }))", versions)
    assert outdated == [False, True, False]


def test_adapter(chromium: Browser, server: BackendWithPages) -> None:
    """adapter.html gets events like a page with an EventSource, and shares its stream."""
    with chromium.context() as context:
        tabs = [context.tab(f"{server.url}/adapter.html") for _ in range(2)]
        for tab in tabs:
            tab.wait_for("document.querySelector('#version').textContent !== ''")
        server.wait_for_streams(1)
        server.announce("7.2.0")
        for tab in tabs:
            tab.wait_for("document.querySelector('#version').textContent === '7.2.0'")


def test_another_origin(chromium: Browser, server: BackendWithPages) -> None:
    """A page of a listed origin imports the client, and reads the stream and its headers."""
    with chromium.context() as context:
        tab = context.tab(f"{server.other_origin}/empty.html")
        answers = tab.evaluate(
            """async (server) => {
              const { connect } = await import(`${server}/static/sse-client.js`);
              const url = `${server}/api/sse/stream`;
              window.stream = connect({ url });
              const ask = (id, method) => fetch(`${url}?request_id=${id}`, { method });
              const head = await ask("head", "HEAD");
              return [head.headers.get("SSE-Heartbeat-Seconds"), (await ask("", "GET")).status];
            }""",
            server.url,
        )
        assert answers == ["15", 400]
        tab.wait_for("stream.state === 'open' && stream.version")
        assert tab.evaluate("stream.sharing") == "leader"


def test_readme(chromium: Browser, server: BackendWithPages) -> None:
    """The page of the README shows the progress of a task."""
    with chromium.context() as context:
        server.wait_for_streams(0)
        tab = context.tab(f"{server.url}/readme.html")
        server.wait_for_streams(1)
        start_task(server, "demo_task", steps=3, delay=0)
        tab.wait_for("document.querySelector('progress').value === 1")


def test_playwright(server: BackendWithPages, pages: Path) -> None:
    """live.spec.js passes against live.html."""
    import playwright

    driver = Path(playwright.__file__).parent / "driver"
    package = pages / "node_modules" / "@playwright" / "test"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"exports": "./index.mjs"}')
    (package / "index.mjs").write_text("export const test = globalThis.registerTest;")
    program = (driver / "node", HERE / "playwright_test.mjs", driver / "package", CHROMIUM)
    run = subprocess.run(
        [str(argument) for argument in (*program, server.url, pages / "live.spec.js")],
        capture_output=True,
        text=True,
        timeout=2 * TIME_LIMIT,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "ok the page shows a new version\n"), run.stderr


def test_restart(chromium: Browser, pages: Path) -> None:
    """task-list.js and show-state.js over a restart of a server that has lost its log.

    The list begins with the tasks that there are, follows them, and is loaded again after resync.
    """
    with BackendWithPages(pages) as server, chromium.context() as context:
        start_task(server, "demo_task", steps=1, delay=0)
        tab = context.tab(f"{server.url}/empty.html")
        tab.evaluate(
            """async () => {
              const { connect } = await import("/static/sse-client.js");
              const { showState } = await import("/show-state.js");
              const { followTasks } = await import("/task-list.js");
              const [text, button] = [...document.body.children];
              window.stream = connect({ share: false, graceSeconds: 0 });
              showState(stream, text, button);
              const show = (tasks) => (window.statuses = tasks.map(({ status }) => status));
              window.list = await followTasks(show);
            }"""
        )
        tab.wait_for("statuses.join() === 'completed'")
        tab.wait_for("stream.state === 'open'")
        start_task(server, "failing_task")
        tab.wait_for("statuses.toSorted().join() === 'completed,failed'")
        assert tab.text("#text") == ""
        assert server.terminate() == 0
        tab.wait_for("document.querySelector('#text').textContent.startsWith('No live updates: ')")
        with BackendWithPages(pages, port=server.port):
            tab.evaluate("stream.reconnect() ?? list.reconnect()")  # rather than after the pause
            tab.wait_for("document.querySelector('#text').textContent === ''")
            tab.wait_for("statuses.length === 0")
