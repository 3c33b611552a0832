"""Each page of the console, light and dark, wide and on a phone: accessible, no complaints.

The screenshots stay in ``build/screenshots``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.console.pages import PAGES
from tests.browser.packages_folder import installed_packages
from tests.browser.tabs import Browser
from tests.support.backend_client import connect, start_task, task_story
from tests.support.http.client import request
from tests.support.processes.server import ROOT, ServeServer

pytestmark = pytest.mark.needs("chromium", "playwright", "npm")

SCREENSHOTS = ROOT / "build" / "screenshots"
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeServer]:
    """Start a server on which a task has completed, one has failed, and one runs."""
    state = tmp_path_factory.mktemp("state")
    env = {"SSE_STATE_DIR": str(state), "TASK_FILES_ROOT": str(ROOT / "docs")}
    with ServeServer(env=env) as server, connect(server) as stream:
        for task_type, params in (("failing_task", {}), ("digest_tree", {"path": "."})):
            task_story(stream, start_task(server, task_type, **params))
        running = start_task(server, "demo_task", steps=500, delay=2.0)
        yield server
        # The server waits for its tasks before it ends.
        request(server.port, "POST", f"/api/tasks/{running}/cancel")


def violations(report: dict[str, Any]) -> list[str]:
    """Return the violations that axe-core reports, with the elements."""
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:200]}"
        for violation in report["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_page(chromium: Browser, server: ServeServer, page: str, scheme: str) -> None:
    """A page fits every width, axe-core finds nothing, and the browser does not complain."""
    axe = (installed_packages() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    # The page's policy keeps out foreign scripts, such as axe-core. Other tests show that it does.
    with chromium.context(color_scheme=scheme, viewport=WIDE, bypass_csp=True) as context:
        tab = context.tab(f"{server.url}/console/{page}")
        tab.wait_for("document.documentElement.dataset.connection === 'open'")
        tab.wait_for("document.querySelector('[aria-busy=true]') === null")
        for name, size in (("wide", WIDE), ("phone", PHONE)):
            tab.call("set_viewport_size", size)
            place: Path = SCREENSHOTS / f"{page}-{scheme}-{name}.png"
            tab.call("screenshot", path=str(place))
            assert place.stat().st_size > 0
            assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
            tab.evaluate(axe)
            assert violations(tab.evaluate("axe.run()")) == []
        assert tab.complaints == []
