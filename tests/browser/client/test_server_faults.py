"""The server is reloaded, killed and restarted: the tabs miss nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.browser.client.rig.proxy import Proxy
from tests.browser.client.rig.site import Site, backend, profile
from tests.browser.tabs import Browser, Tab
from tests.faults.nothing_missed.worker_faults import kill_worker, reload
from tests.support.processes.server import Server
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("chromium", "playwright")

EVENTS = 1000
"""The number of events that are published beside all faults together."""


@contextmanager
def open_tabs(browser: Browser, site: Site) -> Iterator[list[Tab]]:
    """Open tabs that share their stream in each way, and one that does not share it."""
    with profile(browser) as sharing, profile(browser, "leader") as choosing:
        tabs = [*site.tabs(sharing, 2), *site.tabs(choosing, 2), site.tab(sharing, share=False)]
        kinds = [tab.evaluate("stream.sharing") for tab in tabs]
        assert kinds == ["worker", "worker", "leader", "leader", "direct"]
        yield tabs


def test_the_worker_is_replaced(chromium: Browser) -> None:
    """No number is missing or double after a reload and after a killed worker."""
    faults: list[Callable[[Server], None]] = [reload, kill_worker]
    with backend() as server, Proxy(server.port) as proxy:
        site = Site(server, proxy)
        numbers = site.numbers()
        with open_tabs(chromium, site) as tabs:
            for fault in faults:
                with numbers.publishing(EVENTS // 3):
                    fault(server)
                assert numbers.problems_of(*tabs) == []
            assert all("resync" not in tab.evaluate("names") for tab in tabs)
            assert all("server_restart" in tab.evaluate("names") for tab in tabs)


def test_the_server_is_restarted(chromium: Browser, tmp_path: Path) -> None:
    """No number is missing or double after a restart with SSE_STATE_DIR and a while of 502."""
    state = {"SSE_STATE_DIR": str(tmp_path / "state")}
    with backend(**state) as server, Proxy(server.port) as proxy, ExitStack() as stack:
        site = Site(server, proxy)
        numbers = site.numbers()
        with open_tabs(chromium, site) as tabs:
            with numbers.publishing(EVENTS // 3):
                assert server.terminate() == 0
                before = len(proxy.streams)
                wait_until(lambda: len(proxy.streams) >= before + 3, "three requests, all refused")
                site.server = stack.enter_context(backend(**state))
                proxy.backend = numbers.port = site.server.port
            assert numbers.problems_of(*tabs) == []
            assert all("resync" not in tab.evaluate("names") for tab in tabs)
            site.wait_for_streams(3)
