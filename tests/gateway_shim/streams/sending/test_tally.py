"""The tally of a stream."""

from __future__ import annotations

import sys

from gateway_shim.protocol import event_stream
from gateway_shim.streams.sending.tally import Totals, tally, tally_of


def test_one_event() -> None:
    """An event is counted once, with the bytes of its chunk."""
    frame = event_stream.frame(b"data: 1\n\n")
    assert tally(frame) == complex(1, len(b"9\r\ndata: 1\n\n\r\n"))


def test_many_events() -> None:
    """Events are counted one by one, and their bytes together."""
    assert tally_of([b"12", b"345"]) == complex(2, 5)
    assert tally_of([]) == 0


def test_the_size() -> None:
    """A tally takes half of two integers, and stays exact beyond a petabyte."""
    totals = Totals()
    totals.value += complex(10**12, 10**15)
    assert sys.getsizeof(totals.value) <= 32
    assert totals.value + complex(1, 1) == complex(10**12 + 1, 10**15 + 1)
