"""The tally of a stream: the events and bytes that it was sent, as one number. Pure.

There is one tally for each stream, and thousands of streams. So a tally is a complex number: its
real part counts events, and its imaginary part counts bytes. It takes 32 bytes; two integers, or a
tuple, take 64 and more. Both parts are exact up to 2**53, which is 8 PiB.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway_shim.protocol.event_stream import Frame

__all__ = ["Totals", "tally", "tally_of"]


def tally(frame: Frame) -> complex:
    """Return the tally of one event. Its bytes are counted as those of one chunk."""
    return complex(1, len(frame.chunked))


def tally_of(events: Sequence[bytes]) -> complex:
    """Return the tally of events that are encoded already, one after the other."""
    return complex(len(events), sum(map(len, events)))


class Totals:
    """The tally of a stream that would have been live all the time.

    A delivery to all streams changes this one number, and not one number for each stream. A live
    stream keeps the difference between its own tally and the totals.

    Attributes:
        value: the tally of all deliveries to everyone.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0j
