"""Checks of the first line of a request; bad lines are refused before they are complete. Pure.

As in Node's http module, only HTTP/1.0 and HTTP/1.1 are accepted, and targets of three forms (RFC
9112, section 3.2). Where Node's parser is more tolerant than the RFC, this module follows the RFC
(docs/contract.md).
"""

from __future__ import annotations

import re

from gunicorn.http.errors import InvalidRequestLine, InvalidRequestMethod

__all__ = ["ASTERISK", "VERSIONS", "check_beginning", "check_target", "empty_lines"]

ASTERISK = "*"
"""The target that names the server itself. It is valid only with OPTIONS."""

VERSIONS = frozenset({(1, 0), (1, 1)})
"""The supported HTTP versions."""

_EMPTY_LINES = re.compile(rb"(?:\r\n)*")
_BEGINNING = re.compile(rb"[!$%&'*+\-.^_`|~0-9A-Z]{1,20}(?: |\Z)")
# A scheme has letters only, as in Node, although RFC 3986 also allows digits. The characters of the
# authority are those of RFC 3986, section 3.2.
_ABSOLUTE = re.compile(r"[A-Za-z]+://[A-Za-z0-9\-._~!$&'()*+,;=:@%\[\]]*(?:[/?].*)?")


def empty_lines(data: bytes | bytearray) -> int:
    """Count the bytes of the empty lines before a request line (RFC 9112, section 2.2).

    Args:
        data: the received bytes.
    """
    if not data.startswith(b"\r\n"):
        return 0
    found = _EMPTY_LINES.match(data)
    return found.end() if found else 0


def check_beginning(data: bytes | bytearray) -> None:
    """Refuse bytes that cannot become a request line, before the rest of the line arrives.

    Args:
        data: the beginning of a line without its end; may be empty.

    Raises:
        InvalidRequestMethod: the line does not begin with a method.
        InvalidRequestLine: the line contains a line end other than CR LF.
    """
    if not data or data == b"\r":
        return
    if _BEGINNING.match(data) is None:
        raise InvalidRequestMethod(bytes(data[:20]).decode("latin-1"))
    if b"\n" in data or 0 <= data.find(b"\r") < len(data) - 1:
        raise InvalidRequestLine("bare CR or LF")


def check_target(target: str) -> None:
    """Refuse a target that is not a path, a complete URL, or ``*``.

    Every path is accepted.

    Args:
        target: printable ASCII; from a request with a method other than CONNECT.

    Raises:
        InvalidRequestLine: the target has none of these forms.
    """
    if not target.startswith("/") and target != ASTERISK and not _ABSOLUTE.fullmatch(target):
        raise InvalidRequestLine(target)
