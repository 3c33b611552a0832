"""The count of replayed events, with a simulated clock."""

from __future__ import annotations

import pytest

from app.watch.catch_up import PAUSE_SECONDS, CatchUp, missed_events
from app.watch.decoder import ServerEvent

REPLAYED = ServerEvent("n", "1", "e-1", True)
OWN = ServerEvent("version", "1", "e-1", False)
RESYNC = ServerEvent("resync", "{}", "e-9", True)


@pytest.mark.parametrize(
    ("last", "counts"),
    [
        (OWN, [0, 0, 2, 0, 0]),
        (RESYNC, [0, 0, 2, 0, 0]),
        (REPLAYED, [0, 0, 0, 0, 0]),
    ],
)
def test_end_of_the_replay(last: ServerEvent, counts: list[int]) -> None:
    """An event without an ID of its own, or ``resync``, ends the replay, once."""
    catch_up = CatchUp()
    catch_up.begin(0.0)
    events = [REPLAYED, REPLAYED, last, OWN, REPLAYED]
    if last is REPLAYED:
        events[3] = REPLAYED
    assert [catch_up.take_event(event) for event in events] == counts


@pytest.mark.parametrize(
    ("pause", "count"), [(PAUSE_SECONDS, 1), (PAUSE_SECONDS - 0.25, 0), (0.0, 0)]
)
def test_a_pause_ends_the_replay(pause: float, count: int) -> None:
    """Anything that arrives after a pause, such as a heartbeat, ends the replay."""
    catch_up = CatchUp()
    catch_up.begin(5.0)
    assert catch_up.take_piece(5.5) == 0
    catch_up.take_event(REPLAYED)
    assert catch_up.take_piece(5.5 + pause) == count


def test_pauses_do_not_add_up() -> None:
    """Many short pauses are not a long one."""
    catch_up = CatchUp()
    catch_up.begin(0.0)
    for moment in range(1, 10):
        assert catch_up.take_piece(moment * 0.75 * PAUSE_SECONDS) == 0
        catch_up.take_event(REPLAYED)
    assert catch_up.take_event(OWN) == 9


def test_first_event_after_a_pause_is_live() -> None:
    """If nothing arrives at first, nothing is replayed."""
    catch_up = CatchUp()
    catch_up.begin(0.0)
    assert catch_up.take_piece(PAUSE_SECONDS) == 0
    catch_up.take_event(REPLAYED)
    assert catch_up.take_event(OWN) == 0


def test_a_stream_that_does_not_resume() -> None:
    """Without a last event ID, nothing is counted."""
    catch_up = CatchUp()
    assert catch_up.take_piece(9.0) == catch_up.take_event(REPLAYED) == 0
    assert catch_up.take_event(OWN) == 0


def test_count_goes_on_over_streams() -> None:
    """If a stream ends during its replay, the next stream continues the count."""
    catch_up = CatchUp()
    catch_up.begin(0.0)
    catch_up.take_event(REPLAYED)
    catch_up.begin(60.0)
    assert catch_up.take_piece(60.0) == 0
    catch_up.take_event(REPLAYED)
    assert catch_up.take_event(OWN) == 2


def test_missed_events() -> None:
    """Each reason is explained; unknown reasons are shown as they are."""
    assert missed_events("unknown").startswith("events were missed: the server does not know")
    assert missed_events("of the future") == "events were missed: of the future"
