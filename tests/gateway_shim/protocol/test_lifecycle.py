"""The transition table of a stream's life, and the picture of it in the module's docstring."""

from __future__ import annotations

import itertools
import re

import pytest

from gateway_shim.errors import InvalidTransition
from gateway_shim.protocol import lifecycle
from gateway_shim.protocol.lifecycle import (
    CONNECTING_STATES,
    OVER_STATES,
    TRANSITIONS,
    StreamEvent,
    StreamState,
    after,
)

# Written out once more, without the code of the module: the table is compared with these lines.
ALLOWED = {
    ("connecting", "hold close"): "close held",
    ("connecting", "overflow"): "overflowed",
    ("connecting", "accept"): "open",
    ("connecting", "reject"): "closing",
    ("connecting", "refuse"): "returned",
    ("connecting", "lose"): "returned",
    ("close held", "overflow"): "overflowed",
    ("close held", "accept"): "open",
    ("close held", "reject"): "closing",
    ("close held", "refuse"): "returned",
    ("close held", "lose"): "returned",
    ("overflowed", "overflow"): "overflowed",
    ("overflowed", "accept"): "open",
    ("overflowed", "reject"): "closing",
    ("overflowed", "refuse"): "returned",
    ("overflowed", "lose"): "returned",
    ("open", "close"): "closing",
    ("open", "lose"): "closed",
    ("closing", "late"): "overdue",
    ("closing", "flush"): "lingering",
    ("closing", "lose"): "closed",
    ("overdue", "flush"): "lingering",
    ("overdue", "lose"): "closed",
    ("lingering", "lose"): "closed",
}

ARROW = re.compile(r"^ +([A-Z_]+(?:, [A-Z_]+)*) +─ ([A-Z_]+) +▶ ([A-Z_]+)$", re.MULTILINE)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(StreamState, StreamEvent)))
def test_every_state_and_event(state: StreamState, event: StreamEvent) -> None:
    """An event that the table lists leads to the next state; every other event raises."""
    expected = ALLOWED.get((state.value, event.value))
    if expected is not None:
        assert after(state, event) is StreamState(expected)
    else:
        with pytest.raises(InvalidTransition) as caught:
            after(state, event)
        assert (caught.value.state, caught.value.event) == (state, event)
        assert caught.value.__cause__ is None


def test_table_is_complete() -> None:
    """The table holds these transitions and no others."""
    table = {
        (state.value, event.value): after.value for (state, event), after in TRANSITIONS.items()
    }
    assert table == ALLOWED


def test_picture_shows_the_table() -> None:
    """The picture in the module's docstring shows the transitions of the table and no others."""
    shown = {
        (StreamState[state], StreamEvent[event]): StreamState[next_state]
        for states, event, next_state in ARROW.findall(lifecycle.__doc__ or "")
        for state in states.split(", ")
    }
    assert shown == TRANSITIONS


def test_no_state_is_entered_again() -> None:
    """Every life ends: each event leads to a later state, or confirms OVERFLOWED."""
    order = list(StreamState)
    for (state, _), next_state in TRANSITIONS.items():
        later = order.index(next_state) > order.index(state)
        assert later or state is next_state is StreamState.OVERFLOWED


def test_groups_of_states() -> None:
    """A connecting stream can be accepted, and nothing can happen to a stream that is over."""
    can_be_accepted = {state for state, event in TRANSITIONS if event is StreamEvent.ACCEPT}
    assert can_be_accepted == set(CONNECTING_STATES)
    assert {state for state, _ in TRANSITIONS} == set(StreamState) - set(OVER_STATES)
