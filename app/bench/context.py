"""The context of one run of the bench, which each section gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.bench.plan import Plan
from app.bench.results.figures import Results

__all__ = ["BenchContext"]


@dataclass(frozen=True, slots=True)
class BenchContext:
    """The context of one run.

    Args:
        plan: the sizes of the run.
        results: receives the figures.
        tell: shows the present step to the user.
        gateway_command: the command that starts the gateway of the HTTP path; None for the shim.
        certificate: the file names of the certificate and its key, for TLS.
    """

    plan: Plan
    results: Results
    tell: Callable[[str], None]
    gateway_command: str | None = None
    certificate: tuple[str, str] | None = None
