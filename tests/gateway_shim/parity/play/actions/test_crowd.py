"""Many clients that leave at the same time, on a running gateway."""

from __future__ import annotations

import itertools

import pytest

from gateway_shim.parity.play.actions import crowd
from gateway_shim.parity.play.player import Player
from gateway_shim.parity.play.session import Session
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.steps import LeaveTogether


def test_disconnects_are_held_and_counted(running_shim: Player) -> None:
    """All disconnect callbacks wait at the same time, and then all are answered."""
    scenario = Scenario("s", (LeaveTogether(5),), ["$value:held", "$actions"])
    held, actions = running_shim.play(scenario)
    assert (held, sorted(actions)) == (5, ["connect"] * 5 + ["disconnect"] * 5)


@pytest.mark.parametrize(("rounds", "held"), [(1, 4), (3, 5)])
def test_a_round_with_a_late_callback_is_done_again(
    running_shim: Player, monkeypatch: pytest.MonkeyPatch, rounds: int, held: int
) -> None:
    """If a callback was not held with the others, streams are opened again until all are."""
    hold, wait_held = Session._hold, Session.wait_held
    numbers = itertools.count()

    def hold_all_but_one(session: Session) -> None:
        if next(numbers) > 0:
            hold(session)

    def wait(session: Session, count: int, seconds: float) -> bool:
        rest = count if len(session.tokens()) > count else count - 1
        return wait_held(session, rest, seconds)

    monkeypatch.setattr(Session, "_hold", hold_all_but_one)
    monkeypatch.setattr(Session, "wait_held", wait)
    monkeypatch.setattr(crowd, "_ROUNDS", rounds)
    scenario = Scenario("s", (LeaveTogether(5),), ["$value:held", "$actions"])
    seen, actions = running_shim.play(scenario)
    assert (seen, len(actions)) == (held, 10 * min(rounds, 2))
