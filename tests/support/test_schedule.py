"""The order of the test modules."""

from __future__ import annotations

from tests.support.schedule import mixed


def order(*tests: str, first: tuple[str, ...] = ()) -> str:
    """Return the order of tests such as ``w1.a``, whose module w1 waits, because it has a w."""
    found = mixed(
        tests, lambda test: test.split(".")[0], first=first, waits=lambda name: name[0] == "w"
    )
    assert sorted(found) == sorted(tests)
    return " ".join(found)


def test_both_kinds_are_spread_evenly() -> None:
    """The modules of the smaller kind are at equal distances among the others."""
    assert order("a.", "b.", "c.", "d.", "w.", "x.") == "a. b. c. w. d. x."
    assert order("w1.", "w2.", "a.", "b.", "c.", "d.") == "a. w1. b. c. w2. d."


def test_the_longest_come_first() -> None:
    """The modules that take longest come first, in the given order; unknown ones are ignored."""
    assert order("a.", "w1.", "w2.", "b.", first=("b", "w2", "x")) == "b. w2. a. w1."


def test_a_module_stays_together() -> None:
    """The tests of one module keep their order."""
    assert order("a.2", "a.1", "w.2", "w.1", "b.1") == "a.2 a.1 w.2 w.1 b.1"


def test_no_tests() -> None:
    """Without tests there is no order."""
    assert order() == ""
