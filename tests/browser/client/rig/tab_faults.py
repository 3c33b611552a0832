"""The ways in which a tab stops to take part, each as one function."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.browser.client.rig.proxy import Proxy
from tests.browser.tabs import BrowserError, Tab
from tests.support.timing import TIME_LIMIT

__all__ = ["close", "crash", "frozen"]

_FREEZE = """() => {
  const request = new XMLHttpRequest();
  request.open("GET", "/healthz", false);
  setTimeout(() => request.send());
}"""


def close(tab: Tab) -> None:
    """Close a tab as its user does."""
    tab.close()


def crash(tab: Tab) -> None:
    """End the process of a tab's page. No command of the tab may follow."""
    with suppress(BrowserError):  # this URL is not loaded, but kills the process
        tab.goto("chrome://crash")


@contextmanager
def frozen(tab: Tab, proxy: Proxy) -> Iterator[None]:
    """Freeze a tab: its page runs no code during the block, and keeps its locks and its stream.

    The page waits for an answer that the proxy holds back. (The command of the DevTools that
    freezes a page does nothing here, because Playwright keeps all pages visible.)
    """
    with proxy.holding("GET", "/healthz") as begun:
        tab.evaluate(_FREEZE)
        assert begun.wait(TIME_LIMIT)
        yield
