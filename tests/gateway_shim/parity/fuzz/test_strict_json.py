"""The check for JSON: the standard parser's result, without its extensions, at any depth."""

from __future__ import annotations

import json
import random

import pytest

from gateway_shim.parity.fuzz.strict_json import is_json, starts_container

_PIECES = (
    "{", "}", "[", "]", ",", ":", '"a"', "1", "-", "0", ".5", "e1", "true", "nul", "null", " ",
    "\n", '"', "\\", '"\\u00e9"', '"\x01"', "NaN", '"\ud800"', "\ufeff", "\v",
)  # fmt: skip


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def test_random_texts_are_judged_as_the_standard_parser_judges_them() -> None:
    """The check agrees with the standard parser for random texts, some of which are JSON."""
    chooser = random.Random(1)
    good = 0
    for _ in range(30_000):
        text = "".join(chooser.choice(_PIECES) for _ in range(chooser.randrange(8)))
        try:
            json.loads(text, parse_constant=_refuse)
        except ValueError:
            expected = False
        else:
            expected = True
        assert is_json(text) is expected, text
        good += expected
    assert good > 500


@pytest.mark.parametrize("depth", [1, 980, 30_000])
def test_depth_does_not_matter(depth: int) -> None:
    """Matching brackets of any depth are JSON, and others are not."""
    assert is_json("[" * depth + "]" * depth)
    assert is_json('{"a":' * depth + "1" + "}" * depth)
    assert not is_json("[" * depth + "]" * (depth - 1))
    assert not is_json("[" * depth + "}" * depth)


def test_containers_are_recognized() -> None:
    """Containers are recognized by their first character that is not a space."""
    assert starts_container(" [1]")
    assert starts_container("\n{}")
    assert not starts_container("1")
    assert not starts_container("")
