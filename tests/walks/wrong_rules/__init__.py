"""Rules of the log that are broken on purpose: the walks must notice each of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.walks.wrong_rules import frames, gaps, notes, streams

__all__ = ["WRONG_RULES", "WrongRule"]

WrongRule = Callable[[pytest.MonkeyPatch], None]
"""Breaks a rule until the patch is undone."""

WRONG_RULES: tuple[WrongRule, ...] = (
    *streams.RULES,
    *frames.RULES,
    *gaps.RULES,
    *notes.RULES,
)
"""The wrong rules."""
