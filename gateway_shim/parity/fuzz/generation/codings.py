"""Generated sends with a Content-Encoding, compressed or not."""

from __future__ import annotations

from typing import Any

from gateway_shim.parity.fuzz.generation.dice import Dice
from gateway_shim.parity.play.client import PACKINGS
from gateway_shim.parity.steps import SendCompressed

__all__ = ["send"]

_RIGHT = (
    ("gzip", "gzip"),
    ("deflate", "deflate"),
    ("GZip", "gzip"),
    ("identity", ""),
    ("gzip", "gzip twice"),
)
_CODINGS = (
    "gzip",
    "deflate",
    "DEFLATE",
    "identity",
    "Identity",
    "x-gzip",
    "compress",
    "zstd",
    "gzip, gzip",
    "*",
    "x",
)


def send(dice: Dice, body: Any, stream: str) -> SendCompressed:
    """Return a send with a Content-Encoding that is right or wrong, or with a body that grows."""
    if dice.chance(0.5):
        coding, packing = dice.one(_RIGHT)
    else:
        coding, packing = dice.one(_CODINGS), dice.one(tuple(PACKINGS))
    return SendCompressed(body, coding, packing, stream=stream)
