"""The shared options: what their values stand for."""

from __future__ import annotations

import pytest

from gateway_shim.parity import options
from gateway_shim.parity.scenarios import SCENARIOS


def test_a_dialect_becomes_environment() -> None:
    """A gateway gets the dialect only if the option is given."""
    assert options.environment("named") == (("SSE_DIALECT", "named"),)
    assert options.environment(None) == ()


@pytest.mark.parametrize(
    ("only", "ids"),
    [
        ("close_only", ["close_only"]),
        ("send_events/lone_*", ["send_events/lone_cr"]),
        ("divergence_5", ["divergence_5"]),
    ],
)
def test_a_pattern_selects_names_and_ids(only: str, ids: list[str]) -> None:
    """A pattern matches the name of a scenario or its id."""
    assert [scenario.id for scenario in options.selected(only)] == ids


def test_all_scenarios_are_selected_without_a_pattern() -> None:
    """Without a pattern every scenario is played."""
    assert list(options.selected(None)) == list(SCENARIOS)


def test_a_pattern_without_a_match_is_an_error() -> None:
    """The message has the pattern."""
    with pytest.raises(options.Unusable, match="--only nothing matches no scenario"):
        options.selected("nothing")


def test_an_unknown_recording_is_an_error() -> None:
    """The message has the name of the recording."""
    with pytest.raises(options.Unusable, match="there is no recording nowhere"):
        options.load_recording("nowhere")
