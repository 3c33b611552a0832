"""The request of a browser for a stream, byte for byte, with its twelve headers."""

from __future__ import annotations

__all__ = ["stream_request"]

_REQUEST = (
    "GET /api/sse/stream?request_id=5d1f2c9e-8a37-4e0b-9c64-{number:012x} HTTP/1.1\r\n"
    "Host: 127.0.0.1:{port}\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: no-cache\r\n"
    'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"\r\n'
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Safari/537.36\r\n"
    "Accept: text/event-stream\r\n"
    'sec-ch-ua-platform: "Linux"\r\n'
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: cors\r\n"
    "Referer: http://127.0.0.1:{port}/dashboard/tasks\r\n"
    "Accept-Language: en-GB,en-US;q=0.9,en;q=0.8,de;q=0.7\r\n"
    "Cookie: session=eyJ1c2VyIjo{number:024x}.aRwXyQ.k3Jm9{number:022x}; theme=dark\r\n"
)


def stream_request(port: int, number: int, cursor: str | None = None) -> bytes:
    """Return the request of one browser.

    Args:
        port: the port of the server.
        number: the number of the browser; each browser has its own request ID and cookie.
        cursor: the last event ID, which the browser sends when it reconnects.
    """
    last_event_id = "" if cursor is None else f"Last-Event-ID: {cursor}\r\n"
    return (_REQUEST.format(port=port, number=number) + last_event_id + "\r\n").encode()
