"""The driver of the browser: tabs, their errors, and contexts that share nothing."""

from __future__ import annotations

import pytest

from tests.browser.tabs import Browser, BrowserError

pytestmark = pytest.mark.needs("chromium", "playwright")


def test_a_tab(chromium: Browser) -> None:
    """A page runs scripts, shows its errors, and its storage belongs to its context."""
    with chromium.context() as context:
        tab = context.tab("data:text/html,<title>one</title><p>text</p>")
        assert tab.text("p") == "text"
        assert tab.evaluate("n => n + 1", 1) == 2
        tab.evaluate("console.error('oh')")
        tab.wait_for("document.title === 'one'")
        assert [text.split(" (")[0] for text in tab.complaints] == ["error: oh"]
        with pytest.raises(BrowserError, match="nothing is not defined"):
            tab.evaluate("nothing")


def test_a_wait(chromium: Browser) -> None:
    """A wait lasts until its expression is true, over a change of page and under a policy."""
    policy = "<meta http-equiv=Content-Security-Policy content=\"script-src 'none'\">"
    with chromium.context() as context:
        tab = context.tab("data:text/html,<title>one</title>")
        tab.evaluate("url => { setTimeout(() => { location = url; }, 50); }", "about:blank")
        tab.wait_for("location.href === 'about:blank'")
        tab.goto(f"data:text/html,{policy}<title>two</title>")
        tab.evaluate("globalThis.since = Date.now(); 0")
        tab.wait_for("pause => Date.now() > since + pause", 50)
        with pytest.raises(BrowserError, match="nothing is not defined"):
            tab.wait_for("nothing")
