"""The frame of the console with a real server: the password, SSE_AUTHORIZE, a reload."""

from __future__ import annotations

import signal

import pytest

from tests.browser.tabs import Browser
from tests.support.http.client import request
from tests.support.processes.server import ROOT, ServeServer

pytestmark = pytest.mark.needs("chromium", "playwright")

ENVIRONMENT = {
    "FLASK_ENV": "testing",
    "SSE_CONSOLE_PASSWORD": "correct horse",
    "SSE_AUTHORIZE": "tests.browser.cookie_pass:authorize",
    "SSE_DIALECT": "envelope",
    "SSE_DRAIN_RETRY_SECONDS": "0.1",
    "PYTHONPATH": str(ROOT),
}
OPEN = "document.documentElement.dataset.connection === 'open'"


def test_a_session_over_a_reload(chromium: Browser) -> None:
    """With the password, the stream opens although the hook refuses it, also after a reload."""
    with ServeServer(env=ENVIRONMENT) as server, chromium.context() as context:
        tab = context.tab(f"{server.url}/")
        assert tab.call("title") == "Sign in · sse-monolith"
        tab.fill("#password", "correct horse")
        tab.click("form button")
        tab.wait_for(OPEN)
        assert tab.call("url") == f"{server.url}/console/tasks"
        body = {"request_id": "nobody", "version": "2.5.0", "changelog": "Exports are faster."}
        path = "/api/testing/deployments/version"
        assert request(server.port, "POST", path, json_body=body).status == 202
        tab.wait_for("!document.querySelector('#version').hidden")
        assert tab.text("#version p") == "Version 2.5.0 is available: Exports are faster."
        old = server.worker_pid()
        # The word is looked for in every change, because the stream may be back very soon.
        tab.evaluate(
            """() => {
              globalThis.words = [];
              const word = document.querySelector("#connection");
              const observer = new MutationObserver(() => words.push(word.textContent));
              observer.observe(word, {childList: true, characterData: true, subtree: true});
            }"""
        )
        server.send_signal(signal.SIGHUP)
        tab.wait_for("words.includes('waiting') && words.at(-1) === 'open'")
        assert server.worker_pid() != old
        tab.click("nav a:nth-child(2)")
        tab.wait_for(OPEN)
        assert tab.text("h1") == "Events"
        assert tab.complaints == []
