"""A page in Chromium, which a test controls from a process that gevent has patched."""

from __future__ import annotations

import json
from typing import Any

from tests.support.parts import CHROMIUM
from tests.support.processes.companion import Companion
from tests.support.timing import TIME_LIMIT

__all__ = ["ChromiumPage"]


class ChromiumPage(Companion):
    """A context manager that starts Chromium, with the help of :mod:`tests.browser.page`.

    Attributes:
        origin: the origin of the page.
    """

    def __init__(self) -> None:
        assert CHROMIUM is not None
        super().__init__("tests.browser.page", [CHROMIUM])
        self.origin = ""

    def _wait_until_ready(self) -> None:
        self.origin = json.loads(self.read_line())

    def _stop(self) -> None:
        assert self.finish() == 0

    def begin(self) -> None:
        """Open the page anew. Streams end, and cookies are forgotten."""
        self._run({"do": "begin"})

    def open_stream(self, url: str, *, credentials: bool = False) -> None:
        """Open an EventSource in the page, with or without cookies."""
        self._run({"do": "open", "url": url, "credentials": credentials})

    def set_cookie(self, cookie: str) -> None:
        """Set a cookie, which the browser sends to all ports of the address."""
        self._run({"do": "cookie", "cookie": cookie})

    def fetch(self, url: str, headers: dict[str, str]) -> tuple[int, str]:
        """Fetch a URL in the page, and return the status and the body (of a stream, the start)."""
        status, text = self._run({"do": "fetch", "url": url, "headers": headers})
        return status, text

    def post(self, url: str, body: object = None, mode: str = "cors") -> int | None:
        """Post JSON or an empty body in the page, and return the status.

        Args:
            url: the URL.
            body: the document; None: no body.
            mode: ``cors``, or ``no-cors`` as for a form: the body is text, the response hidden.

        Returns:
            The status; None if the browser does not allow the request.
        """
        text = None if body is None else json.dumps(body)
        status: int | None = self._run({"do": "post", "url": url, "body": text, "mode": mode})
        return status

    def forward_api(self, port: int) -> None:
        """Forward ``/api`` from the server of the page to a port, with another Host."""
        self._run({"do": "proxy", "port": port})

    def wait(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the page has ``count`` entries of a kind, and return all its entries."""
        command = {"do": "wait", "kind": kind, "count": count, "seconds": 3 * TIME_LIMIT}
        seen: list[dict[str, Any]] = self._run(command)
        return seen

    def _run(self, command: dict[str, Any]) -> Any:
        self.write_line(json.dumps(command))
        return json.loads(self.read_line())
