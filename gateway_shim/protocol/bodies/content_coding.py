"""Decompresses the bodies of requests, within a size limit. Pure.

The accepted codings are those of the Node gateway: ``gzip``, ``deflate`` (with zlib's header) and
``identity``, in small or capital letters. A request may name one coding. The Node gateway also
accepts Brotli; Python has no decoder for Brotli.
"""

from __future__ import annotations

import zlib

__all__ = ["BrokenCoding", "TooLarge", "UnknownCoding", "decode", "is_identity"]

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_GZIP_MAGIC = b"\x1f\x8b"
_MAX_MEMBERS = 16
"""The largest number of gzip members in a body. Each member costs a copy of the bytes after it."""


class UnknownCoding(ValueError):
    """The Content-Encoding is not accepted; the message says which codings are."""


class BrokenCoding(ValueError):
    """The body cannot be decompressed with the coding that its Content-Encoding names."""


class TooLarge(ValueError):
    """The decompressed body is larger than the limit."""


def is_identity(coding: str | None) -> bool:
    """Return True if a Content-Encoding leaves the body unchanged."""
    return (coding or "").strip().lower() in ("", "identity")


def decode(coding: str | None, body: bytes, limit: int) -> bytes:
    """Decompress a body.

    Args:
        coding: the request's Content-Encoding.
        body: the body as it was sent.
        limit: the largest size of a decompressed body, bytes. At most one byte more than the limit
            is ever decompressed.

    Raises:
        UnknownCoding: the coding is not accepted; the message says which codings are.
        BrokenCoding: the body cannot be decompressed; the message says why.
        TooLarge: the decompressed body is larger than ``limit``.
    """
    if is_identity(coding):
        return body
    name = (coding or "").strip().lower()
    if name not in _WINDOW_BITS:
        raise UnknownCoding(
            f"the Content-Encoding {(coding or '')[:40]!r} is not supported;"
            " use gzip, deflate or none"
        )
    decoded = b""
    for _ in range(_MAX_MEMBERS):
        part, body = _inflate(_WINDOW_BITS[name], body, limit - len(decoded))
        decoded += part
        # Several members form one text (RFC 1952, section 2.2). As in Node, bytes after the last
        # member are ignored if they begin with a zero (padding), and so are all bytes after the
        # end of zlib's data.
        if name != "gzip" or not body or body.startswith(b"\0"):
            return decoded
        if not body.startswith(_GZIP_MAGIC):
            break
    raise BrokenCoding(f"bytes follow the end of the {name} data")


def _inflate(window_bits: int, body: bytes, limit: int) -> tuple[bytes, bytes]:
    """Decompress one member; return its data and the bytes that follow it."""
    inflater = zlib.decompressobj(window_bits)
    try:
        data = inflater.decompress(body, limit + 1)
    except zlib.error as exc:
        raise BrokenCoding(f"the body cannot be decompressed ({exc})") from exc
    if len(data) > limit:
        raise TooLarge(f"the body is larger than {limit} bytes once it is decompressed")
    if not inflater.eof:
        raise BrokenCoding("the compressed body is incomplete")
    return data, inflater.unused_data
