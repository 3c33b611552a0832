"""The walks notice each rule that is broken on purpose."""

from __future__ import annotations

import pytest

from tests.walks.run import run_seed
from tests.walks.walk_failed import WalkFailed
from tests.walks.wrong_rules import WRONG_RULES, WrongRule

_WALKS = 1500
"""The walks within which each wrong rule is noticed. Most are noticed within thirty."""


def fails(seed: int) -> bool:
    """Return True if the walk of a seed fails."""
    try:
        run_seed(seed)
    except WalkFailed:
        return True
    return False


@pytest.mark.parametrize("rule", WRONG_RULES, ids=lambda rule: rule.__name__)
def test_a_wrong_rule_is_noticed(rule: WrongRule, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least one walk fails, within a bounded number."""
    rule(monkeypatch)
    assert any(fails(seed) for seed in range(_WALKS))
