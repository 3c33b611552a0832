"""The browser client in an app that Vite serves and packs: the app that docs/frontend.md shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.tabs import Browser
from tests.browser.vite.page_server import PageServer
from tests.browser.vite.two_tabs import check_two_tabs
from tests.browser.vite.vite_app import ViteServer, build, copy_app
from tests.support.backend_client import active_streams
from tests.support.processes.server import GunicornServer, Server
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("chromium", "playwright", "npm")

APP = Path(__file__).parent / "app"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a backend."""
    with GunicornServer() as server:
        yield server


def test_development(chromium: Browser, server: Server, tmp_path: Path) -> None:
    """Behind Vite's development server and its proxy, two tabs share a stream in the worker."""
    app = copy_app(APP, tmp_path, server.port)
    with ViteServer(app) as vite:
        with chromium.context() as context:
            tabs = check_two_tabs(context, vite.url, server, "worker")
            assert [tab.complaints for tab in tabs] == [[], []]
        wait_until(lambda: active_streams(server) == 0, "the proxy to end the stream of no tab")
        assert "error" not in vite.log.lower()


def test_production(chromium: Browser, server: Server, tmp_path: Path) -> None:
    """Packed, two tabs share a stream in the worker, whose file is packed once."""
    dist, output = build(copy_app(APP, tmp_path, server.port))
    assert "warn" not in output.lower()
    assert "circular" not in output.lower()
    scripts = sorted(path.name.partition("-")[0] for path in (dist / "assets").iterdir())
    assert scripts == ["index", "sse"]
    with PageServer(dist, server.port) as pages, chromium.context() as context:
        tabs = check_two_tabs(context, pages.origin, server, "worker")
        assert tabs[0].text("#connection") == "open"
        assert tabs[0].text("#version") == tabs[0].evaluate("stream.version.version")
        assert [tab.complaints for tab in tabs] == [[], []]
