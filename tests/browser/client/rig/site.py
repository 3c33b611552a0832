"""A backend with a proxy in front of it, and the tabs that have pages of it open."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from tests.browser.client.rig.numbers import Numbers
from tests.browser.client.rig.proxy import Proxy
from tests.browser.tabs import Browser, Context, Tab
from tests.support.backend_client import start_task
from tests.support.http.client import request
from tests.support.processes.server import GunicornServer
from tests.support.timing import TIME_LIMIT, wait_until

__all__ = ["Site", "backend", "profile", "result_of", "serve", "wait_for_state"]

_WITHOUT_WORKERS = "delete globalThis.SharedWorker"


def backend(**env: str) -> GunicornServer:
    """Return the backend of the tests.

    Args:
        env: its settings.
    """
    settings = {"SSE_DRAIN_RETRY_SECONDS": "0.1", "SSE_RETRY_MS": "100", **env}
    return GunicornServer(env=settings, application="tests.browser.client.rig.backend:create()")


class Site:
    """A backend behind a proxy.

    Args:
        server: the backend. A test that restarts it assigns the next one.
        proxy: the proxy.

    Attributes:
        server: the backend.
        proxy: the proxy.
    """

    def __init__(self, server: GunicornServer, proxy: Proxy) -> None:
        self.server = server
        self.proxy = proxy

    def url(self, page: str = "recorder", **options: Any) -> str:
        """Return the URL of a page.

        Args:
            page: the name of the page.
            options: the options of the page's ``connect``.
        """
        return f"{self.proxy.origin}/pages/{page}.html?options={quote(json.dumps(options))}"

    def numbers(self, *, filling: int = 0) -> Numbers:
        """Return new numbers to publish, each with this number of additional characters."""
        return Numbers(self.server.port, filling=filling)

    def send(self, name: str, data: Mapping[str, Any]) -> None:
        """Broadcast one event."""
        body = {"name": name, "data": data}
        assert request(self.server.port, "POST", "/send", json_body=body).status == 200

    def start_task(self, **params: Any) -> str:
        """Start the task that counts its steps, and return its id."""
        return start_task(self.server, "demo_task", **params)

    def state(self) -> dict[str, Any]:
        """Return the answer of ``GET /api/gateway``."""
        state: dict[str, Any] = json.loads(request(self.server.port, "GET", "/api/gateway").body)
        return state

    @property
    def opened(self) -> int:
        """The number of streams that the backend has opened since its start."""
        opened: int = self.state()["opened"]
        return opened

    def wait_for_streams(self, count: int) -> None:
        """Wait until the backend has this number of streams."""
        wait_until(
            lambda: self.state()["streams"] == count,
            lambda: f"{count} streams; the backend has {self.state()['streams']}",
        )

    def tab(self, context: Context, **options: Any) -> Tab:
        """Open a tab whose page records the stream, and wait until it misses no later event."""
        (tab,) = self.tabs(context, 1, **options)
        return tab

    def tabs(self, context: Context, count: int, **options: Any) -> list[Tab]:
        """Open some tabs, and wait until none of them misses a later event."""
        tabs = [context.tab(self.url(**options)) for _ in range(count)]
        for tab in tabs:
            wait_for_state(tab, "open")
            if self.server.env.get("SSE_REPLAY") != "off":
                tab.wait_for("stream.lastEventId !== ''")  # without it, a cut stream begins anew
        return tabs


def wait_for_state(tab: Tab, state: str) -> None:
    """Wait until the connection of a page has a state."""
    tab.wait_for("state => window.stream?.state === state", state)


def result_of(tab: Tab, function: str, argument: object = None) -> Any:
    """Return the result of a promise of a page. The wait for it has a time limit.

    Args:
        tab: the tab.
        function: a function in JavaScript that returns the promise.
        argument: the argument of the function.

    Raises:
        BrowserError: the promise was rejected, or was not settled in time.
    """
    late = f"new Promise((_, fail) => setTimeout(fail, {1000 * TIME_LIMIT}, new Error('too late')))"
    return tab.evaluate(f"argument => Promise.race([({function})(argument), {late}])", argument)


@contextmanager
def serve(**env: str) -> Iterator[Site]:
    """Run a backend and a proxy in front of it."""
    with backend(**env) as server, Proxy(server.port) as proxy:
        yield Site(server, proxy)


@contextmanager
def profile(browser: Browser, sharing: str = "worker") -> Iterator[Context]:
    """Open a context in which tabs share their stream by a worker, or by a leader.

    Args:
        browser: the browser.
        sharing: ``worker`` or ``leader``.
    """
    with browser.context() as context:
        if sharing == "leader":
            context.call("add_init_script", _WITHOUT_WORKERS)
        yield context
