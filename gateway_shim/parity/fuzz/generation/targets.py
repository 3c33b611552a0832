"""Generated request targets, of streams and of other endpoints."""

from __future__ import annotations

from gateway_shim.parity.fuzz.generation.dice import Dice

__all__ = ["LONG", "no_stream", "stream"]

LONG = 4096
"""The length from which a target leaves less room for headers."""

_PIECES = (
    "/", "//", "a", "..", ".", "%2F", "%2f", "%zz", "%", "%00", "?", "&", "=", "x=1", "+", ";",
    ":", "@", "~", "!", "$", "'", "(", "*", ",", "#f", "|", '"', "<", "[", "{", "\\", "^", "`",
    "healthz", "readyz", "internal/send", "http://h/p", "favicon.ico",
)  # fmt: skip
_ORIGINS = ("http://h", "http://h:80", "https://h", "http://u:p@h", "HTTP://H", "http://[::1]:1")
_LENGTHS = (4094, 8181, 8190, 8192, 9000, 12_000, 15_000, 15_900)
_REPEATED = ("a", "/", "%20", "x=1&", "a/../", "+")
_NO_STREAMS = ("*", "http://", "http://h/healthz", "http://h/readyz?x", "https://h/healthz/")


def stream(dice: Dice) -> str:
    """Return the target of a stream: a path or an absolute URL, sometimes up to 16 KiB long.

    The whole head of a request may have 16 KiB, so a request with a long target has few headers.
    """
    # Node's URL parser takes what follows two slashes at the front for a host; its 404 is not part
    # of the contract.
    path = "/" + "".join(dice.some(_PIECES, 6)).lstrip("/\\")
    # These two endpoints are not streams; `requests.py` generates requests for them.
    if path.startswith(("/healthz", "/readyz")):
        path = "/"
    chance = dice.share()
    if chance < 0.03:
        unit, length = dice.one(_REPEATED), dice.one(_LENGTHS)
        path += "x" + unit * ((length - len(path) - 1) // len(unit))
    elif chance < 0.06:
        # Without fragments and backslashes, which Node's URL parser moves.
        plain = "".join(char for char in path if char not in "\\#")
        return dice.one(_ORIGINS) + plain
    return path


def no_stream(dice: Dice) -> str:
    """Return a target that is answered at once, although it is not a path."""
    return dice.one(_NO_STREAMS)
