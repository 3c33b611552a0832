"""Unusual responses that every HTTP client must handle: interim responses, and invalid ones."""

from __future__ import annotations

import socket

__all__ = ["BAD_SET_COOKIE", "INTERIM", "NO_ANSWERS", "pour_interim"]

_EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nContent-Length: 9\r\n\r\n"

INTERIM = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\n\r\n",
    "103_with_headers": _EARLY_HINTS,
    "199": b"HTTP/1.1 199\r\n\r\n",
    "several": b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 102 P\r\n\r\n" + _EARLY_HINTS * 3,
    "a_hundred": b"HTTP/1.1 102 Processing\r\n\r\n" * 100,
}
"""Bytes that a server may send before its final response, by name."""

NO_ANSWERS = {
    "101": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "199_with_a_body": b"HTTP/1.1 199 Odd\r\nContent-Length: 2\r\n\r\n{}",
    "103_and_no_more": _EARLY_HINTS,
    "too_many_interim": b"HTTP/1.1 102 Processing\r\n\r\n" * 101 + b"HTTP/1.1 200 OK\r\n\r\n",
    "103_and_then_600": _EARLY_HINTS + b"HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
    "600": b"HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
    "999": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "099": b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n",
    "one_digit": b"HTTP/1.1 2\r\nContent-Length: 0\r\n\r\n",
    "four_digits": b"HTTP/1.1 0200 OK\r\nContent-Length: 0\r\n\r\n",
    "sign": b"HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n",
    "underscore": b"HTTP/1.1 2_0 OK\r\nContent-Length: 0\r\n\r\n",
    "no_status": b"HTTP/1.1\r\n\r\n",
    "cut_status_line": b"HTTP/1.1 200 O",
    "http_2": b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
    "header_without_colon": b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 2\r\n\r\n{}",
    "header_of_blanks": b"HTTP/1.1 200 OK\r\n folded\r\nContent-Length: 2\r\n\r\n{}",
    "lone_cr_in_a_header": b"HTTP/1.1 200 OK\r\nX: a\r\rContent-Length: 2\r\n\r\n{}",
    "no_http": b"\x00\x01 garbage\r\n\r\n",
    "nothing": b"",
}
"""Bytes that are not a usable response, by name. The server closes the connection after them."""

BAD_SET_COOKIE = b"Set-Cookie: a=b; expires=Wed, 09 Feb " + b"9" * 5000 + b" 00:00:00 GMT\r\n"
"""A header for which http.cookiejar issues a warning that contains a traceback."""


def pour_interim(connection: socket.socket) -> None:
    """Send interim responses without end, as fast as possible. A script for ``ScriptedServer``."""
    while True:
        connection.sendall(_EARLY_HINTS)
