"""The error of a walk in which the promise was broken."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.walks.operations import Step

__all__ = ["WalkFailed"]


class WalkFailed(AssertionError):
    """The promise was broken.

    Args:
        faults: what was wrong.
        trace: the steps, and what each stream got.
        steps: the steps that were taken.

    Attributes:
        kind: the first fault without its numbers.
    """

    def __init__(self, faults: list[str], trace: list[str], steps: Sequence[Step]) -> None:
        super().__init__("\n".join([*trace, *faults]))
        self.faults = faults
        self.kind = re.sub(r"[0-9]+", "N", faults[0])
        self.trace = trace
        self.steps = steps
