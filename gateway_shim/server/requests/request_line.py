"""The first line of a request: which lines are refused, also before they have come whole. Pure.

As Node's http module: HTTP/1.0 and HTTP/1.1 only, and targets of three forms (RFC 9112, section
3.2). Where Node's parser is more tolerant than the RFC, the RFC holds (docs/contract.md).
"""

from __future__ import annotations

import re

from gunicorn.http.errors import InvalidRequestLine, InvalidRequestMethod

__all__ = ["ASTERISK", "VERSIONS", "check_beginning", "check_target", "empty_lines"]

ASTERISK = "*"
"""The target that stands for the server itself. Only OPTIONS may ask for it."""

VERSIONS = frozenset({(1, 0), (1, 1)})
"""The versions of HTTP that are spoken here."""

_EMPTY_LINES = re.compile(rb"(?:\r\n)*")
_BEGINNING = re.compile(rb"[!$%&'*+\-.^_`|~0-9A-Z]{1,20}(?: |\Z)")
# Letters only, though RFC 3986 has digits, too: as Node. The characters of the authority are those
# of RFC 3986, section 3.2.
_ABSOLUTE = re.compile(r"[A-Za-z]+://[A-Za-z0-9\-._~!$&'()*+,;=:@%\[\]]*(?:[/?].*)?")


def empty_lines(data: bytes | bytearray) -> int:
    """Count the bytes of the empty lines before a request line (RFC 9112, section 2.2).

    Args:
        data: what has been received.
    """
    if not data.startswith(b"\r\n"):
        return 0
    found = _EMPTY_LINES.match(data)
    return found.end() if found else 0


def check_beginning(data: bytes | bytearray) -> None:
    """Refuse what cannot become a request line, so that nobody waits for the rest of it.

    Args:
        data: the beginning of a line, without the line's end. It may be empty.

    Raises:
        InvalidRequestMethod: it begins with no method.
        InvalidRequestLine: it holds a line end other than CR LF.
    """
    if not data or data == b"\r":
        return
    if _BEGINNING.match(data) is None:
        raise InvalidRequestMethod(bytes(data[:20]).decode("latin-1"))
    if b"\n" in data or 0 <= data.find(b"\r") < len(data) - 1:
        raise InvalidRequestLine("bare CR or LF")


def check_target(target: str) -> None:
    """Refuse a target that is of none of the forms: a path, a whole URL, or ``*``.

    A path always passes.

    Args:
        target: of a request that is no CONNECT, printable ASCII.

    Raises:
        InvalidRequestLine: it is none of them.
    """
    if not target.startswith("/") and target != ASTERISK and not _ABSOLUTE.fullmatch(target):
        raise InvalidRequestLine(target)
