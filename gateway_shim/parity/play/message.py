"""HTTP/1.x messages as bytes: requests as they are written, heads of answers as they came.

The parsing rules are those of RFC 9112, as far as the kit needs them. Nothing is corrected.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Head", "NotHttp", "request_bytes"]


class NotHttp(Exception):
    """The peer's bytes are not an HTTP/1.x answer.

    Args:
        received: the bytes that came instead.
    """

    def __init__(self, received: bytes) -> None:
        shown = received[:200]
        super().__init__(f"expected an HTTP/1.x answer, received {shown!r}")
        self.received = received


@dataclass(frozen=True, slots=True)
class Head:
    """The status line and the headers of an answer.

    Args:
        raw: the exact bytes, blank line included.
        version: ``HTTP/1.1`` or ``HTTP/1.0``.
        status: the status code.
        reason: the reason phrase.
        headers: the names as sent, with their values, in order.
    """

    raw: bytes
    version: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """Return a header's value, repeated ones joined with ``", "``; None if there is none."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    @classmethod
    def parse(cls, raw: bytes) -> Head:
        """Parse a head.

        Raises:
            NotHttp: the bytes are not a head.
        """
        status_line, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        version, _, rest = status_line.partition(" ")
        code, _, reason = rest.partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0") or not (code.isdigit() and len(code) == 3):
            raise NotHttp(raw)
        pairs = []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise NotHttp(raw)
            pairs.append((name, value.strip()))
        return cls(raw, version, int(code), reason, tuple(pairs))


def request_bytes(
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    version: str = "1.1",
) -> bytes:
    """Return a request exactly as given: nothing is added, reordered or escaped.

    Args:
        method: the request method.
        target: the raw request target.
        headers: names and values, written as latin-1.
        body: the body; its length is *not* added to the headers.
        version: the HTTP version, ``1.0`` or ``1.1``.
    """
    lines = [f"{method} {target} HTTP/{version}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
