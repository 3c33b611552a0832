"""Makes requests to scripted servers, for the tests of the HTTP client."""

from __future__ import annotations

from gateway_shim.http_client.client import HttpClient
from gateway_shim.http_client.redirects import CALLBACK_REDIRECTS
from tests.support.http.scripted_server import Script, ScriptedServer, answer
from tests.support.timing import TIME_LIMIT

SHORT = 0.2
"""A time limit that is short enough for tests to reach, seconds."""

OK = b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-Y: z\r\n\r\n{}"


def moved(location: bytes | str, status: int = 307, body: bytes = b"") -> Script:
    """Return a script that answers with a redirect."""
    raw = location.encode() if isinstance(location, str) else location
    head = b"HTTP/1.1 %d Moved\r\nLocation: %b\r\nContent-Length: %d\r\n\r\n"
    return answer(head % (status, raw, len(body)) + body)


def ask(
    server: ScriptedServer,
    path: str = "/x?s=1",
    *,
    method: str = "POST",
    redirects: int = CALLBACK_REDIRECTS,
) -> tuple[int, str, bytes]:
    """Make a request; return the status, the phrase and the body of the answer."""
    body = None if method == "GET" else b"{}"
    with (
        HttpClient(redirects=redirects) as client,
        client.request(
            method,
            f"http://127.0.0.1:{server.port}{path}",
            headers={"Content-Type": "application/json", "X-Own": "1"},
            body=body,
            seconds=TIME_LIMIT,
        ) as got,
    ):
        return got.status, got.reason, got.read(100_000)
