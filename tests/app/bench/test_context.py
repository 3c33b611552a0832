"""The context of one run of the bench."""

from __future__ import annotations

from app.bench.context import BenchContext
from app.bench.plan import quick
from app.bench.results.figures import Results


def test_defaults() -> None:
    """By default, the HTTP path uses the shim, and there is no certificate."""
    steps: list[str] = []
    context = BenchContext(quick(None, None), Results(judged=False), steps.append)
    context.tell("measuring")
    assert (context.gateway_command, context.certificate, steps) == (None, None, ["measuring"])
