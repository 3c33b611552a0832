"""The comparison of observations, and the text of differences."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_shim.parity.judge.comparison import ABSENT, Difference, compare


@pytest.mark.parametrize("value", [None, True, 1, "x", [1, [2]], {"a": {"b": []}}])
def test_equal_values_have_no_difference(value: Any) -> None:
    """Equal values of any type have no difference."""
    assert compare(value, value) == []


@pytest.mark.parametrize(
    ("expected", "got", "differences"),
    [
        (1, 2, [Difference("", 1, 2)]),
        (True, 1, [Difference("", True, 1)]),
        ({"a": 1}, {"b": 1}, [Difference("a", 1, ABSENT), Difference("b", ABSENT, 1)]),
        (
            {"a": [1, 2]},
            {"a": [1, 3, 4]},
            [Difference("a[1]", 2, 3), Difference("a[2]", ABSENT, 4)],
        ),
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{}]}}, [Difference("a.b[0].c", 1, ABSENT)]),
        ([], {}, [Difference("", [], {})]),
        (None, {"a": 1}, [Difference("", None, {"a": 1})]),
    ],
)
def test_differences_are_found_where_they_are(
    expected: Any, got: Any, differences: list[Difference]
) -> None:
    """Differences are at the innermost place and in order, and True differs from 1."""
    assert compare(expected, got) == differences


@pytest.mark.parametrize(
    ("got", "same"),
    [('{"m":"any text","c":"X"}', True), ('{"m":"","c":"X"}', False), ('{"m":"a","c":"Y"}', False),
     ('{"m":"a","b":"","c":"X"}', False)],
)  # fmt: skip
def test_the_placeholder_for_text_stands_for_some_text(got: str, same: bool) -> None:
    """``$TEXT`` stands for at least one character within one JSON string."""
    assert (compare('{"m":"$TEXT","c":"X"}', got) == []) is same


def test_a_difference_is_shown_for_a_person() -> None:
    """A difference shows the place and both sides one below the other."""
    assert Difference("a.b", "x\n", ABSENT).lines() == [
        "at a.b",
        '  expected  "x\\n"',
        "  got       (nothing)",
    ]
    assert Difference("", 1, 2).lines("node", "b") == ["  node  1", "  b     2"]


def test_invisible_characters_are_escaped() -> None:
    """Line separators and lone surrogates are escaped; letters of any script stay."""
    lines = Difference("", "\xe9\u2028\x85\ud800", ["\u65e5\x00"]).lines()
    assert lines == ['  expected  "\xe9\\u2028\\u0085\\ud800"', '  got       ["\u65e5\\u0000"]']


def test_long_texts_are_cut_around_the_place_where_they_differ() -> None:
    """Long equal parts of two texts are left out."""
    lines = Difference("x", "a" * 500 + "b", "a" * 500 + "c").lines()
    assert lines == [
        "at x",
        f'  expected  (470 characters) … "{"a" * 30}b"',
        f'  got       (470 characters) … "{"a" * 30}c"',
    ]
    assert Difference("x", "", "z" * 100).lines()[2] == (
        f'  got       "{"z" * 90}" … (100 characters in all)'
    )


def test_big_values_are_cut() -> None:
    """A large value is cut, so that it does not fill the screen."""
    shown = Difference("x", None, ["y" * 1000]).lines()[2]
    assert (len(shown) < 400, shown[-2:]) == (True, " …")
