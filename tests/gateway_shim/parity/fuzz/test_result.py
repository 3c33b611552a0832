"""The result of a fuzzing run: its counts, and its text."""

from __future__ import annotations

from collections import Counter

from gateway_shim.parity.fuzz.result import FuzzResult, render
from gateway_shim.parity.judge.comparison import Difference


def test_the_counts_name_only_what_occurred() -> None:
    """Divergences, further cases and single differences appear only if there are any."""
    assert FuzzResult(same=3).counts() == "3 same, 0 different"
    full = FuzzResult(
        same=1, divergences=Counter({3: 2}), found={"x": []}, once={"y": []}, unshrunk=4
    )
    assert full.counts() == (
        "1 same, expected divergences (3: 2), 1 different and 4 more cases, 1 different once"
    )


def test_the_text_shows_each_case_with_its_replay() -> None:
    """A case that differed once comes before the cases that differ always."""
    differences = [Difference("0.head", 1, 2)]
    text = render(FuzzResult(found={"[1]": differences}, once={"[2]": differences}), "A", "B")
    first, second = text.split("\n\n")
    assert first.startswith("different once, but not in 3 more plays")
    assert first.endswith("  replay: parity fuzz --a A --b B --replay '[2]'")
    assert second == (
        "different:\n  at 0.head\n    a  1\n    b  2\n"
        "  replay: parity fuzz --a A --b B --replay '[1]'\n"
    )
