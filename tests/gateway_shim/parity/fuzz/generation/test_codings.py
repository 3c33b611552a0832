"""Generated codings."""

from __future__ import annotations

from gateway_shim.parity.fuzz.generation import codings
from gateway_shim.parity.fuzz.generation.dice import Dice
from gateway_shim.parity.play.client import PACKINGS


def test_codings_and_packings_agree_or_do_not() -> None:
    """Every packing occurs, also under the name of another coding."""
    dice = Dice("codings")
    pairs = {(s.coding, s.packing) for s in (codings.send(dice, {}, "s") for _ in range(1000))}
    assert {packing for _, packing in pairs} == set(PACKINGS)
    assert {("gzip", "gzip"), ("gzip", ""), ("deflate", "gzip"), ("x", "")} <= pairs
