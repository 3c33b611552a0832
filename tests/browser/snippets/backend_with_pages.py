"""A backend whose pages are those of the documentation."""

from __future__ import annotations

import json
from pathlib import Path

from gateway_shim.parity.ports import free_port
from tests.browser.snippets.blocks import README_PAGE, SNIPPETS
from tests.browser.tabs import Context, Tab
from tests.support.http.client import request
from tests.support.processes.server import GunicornServer
from tests.support.timing import wait_until

__all__ = ["FILES", "BackendWithPages", "write_pages"]

FILES = 2000
"""The number of files that ``digest_tree`` reads: too many for an event."""

_EMPTY = '<!doctype html><p id="text"></p><button id="button" hidden>Reconnect</button>'


def write_pages(folder: Path) -> Path:
    """Write the pages, scripts and files of tasks to an empty folder; return that of the pages."""
    pages, files = folder / "pages", folder / "files"
    pages.mkdir()
    for name, text in {**SNIPPETS, "readme.html": README_PAGE, "empty.html": _EMPTY}.items():
        (pages / name).write_text(text, encoding="utf-8")
    files.mkdir()
    for number in range(FILES):
        (files / f"{number:0100}").touch()
    return pages


class BackendWithPages(GunicornServer):
    """A context manager that runs a backend, which also serves the pages and scripts.

    Args:
        pages: their folder.
        port: a second port, at which the pages have another origin; None: a free one.

    Attributes:
        other_origin: that origin, which ``CORS_ORIGINS`` allows.
    """

    def __init__(self, pages: Path, port: int | None = None) -> None:
        port = port or free_port()
        self.other_origin = f"http://127.0.0.1:{port}"
        env = {
            "CORS_ORIGINS": self.other_origin,
            "PAGES": str(pages),
            "FLASK_ENV": "testing",
            "SSE_RETRY_MS": "200",
            "SSE_DRAIN_RETRY_SECONDS": "0.1",
            "TASK_FILES_ROOT": str(pages.parent / "files"),
        }
        application = "tests.browser.snippets.application:create()"
        super().__init__("--bind", f"127.0.0.1:{port}", env=env, application=application)

    def open_tab(self, context: Context) -> Tab:
        """Open a page whose stream is open, so that no event of a test comes too early for it."""
        tab = context.tab(f"{self.url}/empty.html")
        tab.evaluate(
            """async () => {
              const { connect } = await import("/static/sse-client.js");
              window.stream = connect();
              await new Promise((go) => stream.onState((state) => state === "open" && go()));
            }"""
        )
        return tab

    def wait_for_streams(self, count: int) -> None:
        """Wait until the server has a number of streams. Those of closed tabs end later."""

        def streams() -> int:
            answer: dict[str, int] = json.loads(request(self.port, "GET", "/api/gateway").body)
            return answer["streams"]

        wait_until(lambda: streams() == count, lambda: f"{count} streams; there are {streams()}")

    def announce(self, version: str) -> None:
        """Announce a version to all streams."""
        body = {"request_id": "nobody", "version": version, "changelog": None}
        answer = request(self.port, "POST", "/api/testing/deployments/version", json_body=body)
        assert answer.status == 202
