"""Compressed bodies: which codings are accepted, and how large what comes out may be. Pure.

As the Node gateway: ``gzip``, ``deflate`` (with zlib's header) and ``identity``, one coding at
most, in any case. The Node gateway also knows Brotli, for which Python has no decoder.
"""

from __future__ import annotations

import zlib

__all__ = ["BrokenCoding", "TooLarge", "UnknownCoding", "decode", "is_identity"]

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_GZIP_MAGIC = b"\x1f\x8b"
_MOST_MEMBERS = 16
"""A gzip file may have several parts; each costs a copy of those that follow."""


class UnknownCoding(ValueError):
    """The Content-Encoding is none of those that are accepted."""


class BrokenCoding(ValueError):
    """The body is not what its Content-Encoding says."""


class TooLarge(ValueError):
    """The body is larger than allowed once it is decompressed."""


def is_identity(coding: str | None) -> bool:
    """Return whether a Content-Encoding leaves the body as it is."""
    return (coding or "").strip().lower() in ("", "identity")


def decode(coding: str | None, body: bytes, limit: int) -> bytes:
    """Decompress a body.

    Args:
        coding: the request's Content-Encoding.
        body: what was sent.
        limit: bytes that may come out of a compressed body. No more than one byte beyond it is
            ever decompressed.

    Raises:
        UnknownCoding: the coding is not accepted; the message says which ones are.
        BrokenCoding: the body cannot be decompressed; says why.
        TooLarge: more than ``limit`` bytes would come out.
    """
    if is_identity(coding):
        return body
    name = (coding or "").strip().lower()
    if name not in _WINDOW_BITS:
        raise UnknownCoding(
            f"the Content-Encoding {(coding or '')[:40]!r} is not supported;"
            " use gzip, deflate or none"
        )
    whole = b""
    for _ in range(_MOST_MEMBERS):
        part, body = _inflate(_WINDOW_BITS[name], body, limit - len(whole))
        whole += part
        # Several members are one text (RFC 1952, section 2.2). As in Node, what follows a zero,
        # which may pad the last one, is not looked at, nor is what follows the end of zlib's data.
        if name != "gzip" or not body or body.startswith(b"\0"):
            return whole
        if not body.startswith(_GZIP_MAGIC):
            break
    raise BrokenCoding(f"bytes follow the end of the {name} data")


def _inflate(window_bits: int, body: bytes, limit: int) -> tuple[bytes, bytes]:
    """Decompress one stream; returns it, and the bytes behind it."""
    inflater = zlib.decompressobj(window_bits)
    try:
        data = inflater.decompress(body, limit + 1)
    except zlib.error as exc:
        raise BrokenCoding(f"the body cannot be decompressed ({exc})") from exc
    if len(data) > limit:
        raise TooLarge(f"the body is larger than {limit} bytes once it is decompressed")
    if not inflater.eof:
        raise BrokenCoding("the compressed body breaks off")
    return data, inflater.unused_data
