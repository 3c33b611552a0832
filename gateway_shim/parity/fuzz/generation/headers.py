"""Generated headers of a stream's request: odd names and values, and very many headers."""

from __future__ import annotations

from gateway_shim.parity.fuzz.generation.dice import Dice

__all__ = ["few", "many"]

Pairs = tuple[tuple[str, str], ...]

_NAMES = (
    "X-A", "x-a", "X-B", "Cookie", "cookie", "Accept", "User-Agent", "Authorization", "Via",
    "Last-Event-ID", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded",
    "Set-Cookie", "Referer", "Content-Type", "X_Under", "Age", "ETag", "Expires", "From",
    "If-Modified-Since", "If-None-Match", "Proxy-Authorization", "Retry-After", "Server",
    "Max-Forwards", "Location", "Origin", "Accept-Encoding", "Range", "DNT", "Cache-Control",
    "Sec-Fetch-Mode", "X-Real-IP", "x.dot", "X!x", "Pragma",
)  # fmt: skip
_VALUES = (
    "1", "", "a, b", "a;b", "  padded ", "\xe9\xff", "x" * 1000, "a=b", "tab\there", "W/\"x\"",
    "https", "gzip", "bytes=0-1", "no-cache", ",", '"quoted, text"', "http://evil.example",
)  # fmt: skip
_COUNTS = (90, 100, 101, 128, 250, 500, 998)
_MORE = (1000, 1500, 1997)
"""Numbers of headers beyond the thousand that a Node gateway sees.

The client writes two of the thousand itself. The headers beyond must add nothing, as a second
``Age`` does. Our gateway refuses more than 2,000.
"""


def few(dice: Dice) -> Pairs:
    """Return up to eight headers."""
    count = dice.one((0, 0, 1, 2, 4, 8))
    return tuple((dice.one(_NAMES), dice.one(_VALUES)) for _ in range(count))


def many(dice: Dice) -> Pairs:
    """Return up to 1,997 headers within 14 KiB: of one name, of a few names, or of different names.

    The headers resemble each other: a gateway may keep a request compressed, and shorten a request
    that does not compress well (docs/contract.md).
    """
    kind = dice.below(4)
    if kind == 0:
        return (("Age", dice.one(("", "1"))),) * dice.one(_MORE)
    count = dice.one(_COUNTS)
    if kind == 1:
        return (("a", dice.one(("", "b"))),) * count
    if kind == 2:
        return tuple((("X-A", "x-a", "Cookie")[number % 3], "1") for number in range(count))
    return tuple((f"h{number}", "") for number in range(count))
