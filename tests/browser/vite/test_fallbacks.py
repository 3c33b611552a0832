"""Pages whose browser or server has no shared worker, or no locks, or neither."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.browser.tabs import Browser
from tests.browser.vite.page_server import PageServer
from tests.browser.vite.two_tabs import check_two_tabs
from tests.browser.vite.vite_app import copy_client
from tests.support.processes.server import GunicornServer, Server

pytestmark = pytest.mark.needs("chromium", "playwright")

PAGE = """<!doctype html><title>fallback</title><link rel="icon" href="data:,">
<script type="module">
import { connect } from "/MODULE";
window.stream = connect({ OPTIONS });
</script>"""

PLAIN_HOST = "plain.test"
"""A name of 127.0.0.1, by an argument of the browser. Its pages are not trustworthy, so they have
no locks and no ``crypto.randomUUID``."""

NO_WORKER = "delete window.SharedWorker;"
BROKEN_WORKER = "window.SharedWorker = class { constructor() { throw new Error('no'); } };"
NO_LOCKS = "delete Navigator.prototype.locks;"


@dataclass(frozen=True)
class Case:
    """A page, and how it must share the stream.

    Args:
        sharing: the expected ``sharing``.
        module: the file that has the client.
        options: the options of ``connect``.
        headers: additional headers of the page's server.
        script: a script that runs before the page's own.
        host: the host of the page's URL.
        complaint: a part of the messages that the console may have; None: there must be none.
    """

    sharing: str
    module: str = "sse-client.js"
    options: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    script: str = ""
    host: str = "127.0.0.1"
    complaint: str | None = None


CASES = {
    "nothing is missing": Case("worker"),
    "no shared worker": Case("leader", script=NO_WORKER),
    "a constructor that throws": Case("leader", script=BROKEN_WORKER),
    "a policy without workers": Case(
        "leader",
        headers={"Content-Security-Policy": "worker-src 'none'"},
        complaint="Content Security Policy",
    ),
    "a script that is not there": Case(
        "leader",
        options='worker: () => new SharedWorker("/missing.js", { type: "module" })',
        complaint="404",
    ),
    "a page instead of the script": Case(
        "leader",
        options='worker: () => new SharedWorker("/index.html", { type: "module" })',
        complaint="MIME type",
    ),
    "a packed module": Case("leader", module="packed.js"),
    "no locks and no shared worker": Case("direct", script=NO_LOCKS + NO_WORKER),
    "plain http": Case("worker", host=PLAIN_HOST),
    "plain http without a shared worker": Case("direct", host=PLAIN_HOST, script=NO_WORKER),
    "plain http and a script that is not there": Case(
        "direct",
        host=PLAIN_HOST,
        options='worker: () => new SharedWorker("/missing.js", { type: "module" })',
        complaint="404",
    ),
    "not shared": Case("direct", options="share: false"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a backend."""
    with GunicornServer() as server:
        yield server


@pytest.mark.parametrize("name", CASES)
def test_sharing(chromium: Browser, server: Server, tmp_path: Path, name: str) -> None:
    """Two tabs share a stream in the best way that there is, and both get every event."""
    case = CASES[name]
    copy_client(tmp_path)
    (tmp_path / "sse-client.js").rename(tmp_path / case.module)
    page = PAGE.replace("MODULE", case.module).replace("OPTIONS", case.options)
    (tmp_path / "index.html").write_text(page)
    pages = PageServer(tmp_path, server.port, case.headers)
    with pages, chromium.context() as context:
        if case.script:
            context.call("add_init_script", script=case.script)
        tabs = check_two_tabs(context, f"http://{case.host}:{pages.port}/", server, case.sharing)
        for tab in tabs:
            assert tab.evaluate("window.isSecureContext") is (case.host != PLAIN_HOST)
            assert all(case.complaint and case.complaint in text for text in tab.complaints)
