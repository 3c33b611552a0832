"""Tests of the rate at which the soak's clients come and go."""

from __future__ import annotations

import random
from itertools import islice

from tests.faults.soak.churn import STAYS, stays


def openings(clients: int, seconds: float) -> list[float]:
    """Return the times at which streams are opened, without the first stream of each client."""
    source = random.Random(7)
    moments = []
    for number in range(clients):
        now = 0.0
        for stay in stays(number, seconds, source):
            now += stay
            if now >= seconds:
                break
            moments.append(now)
    return moments


def test_as_many_streams_open_in_each_minute() -> None:
    """The numbers of streams opened in each of ten minutes differ by at most a third."""
    per_minute = [0] * 10
    for moment in openings(100, 600):
        per_minute[int(moment // 60)] += 1
    assert max(per_minute) < 1.35 * min(per_minute)
    assert min(per_minute) > 500


def test_residents_stay_for_the_whole_run() -> None:
    """A fifth of the clients stay for the whole run, and the others for at most twenty seconds."""
    source = random.Random(7)
    assert list(islice(stays(5, 600, source), 2)) == [600, 600]
    for number in (1, 2, 3, 4):
        assert max(islice(stays(number, 600, source), 200)) == max(STAYS) == 20
