"""The section resume: all clients come back at once, each to get the events that it has missed."""

from __future__ import annotations

from app.bench.bursts import CROWD, backend_with_clients
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.storms import measure_storms

__all__ = ["measure"]


def measure(context: BenchContext) -> None:
    """Measure clients that resume, in turn with clients that connect without a cursor.

    Raises:
        BenchFailed: a client did not get all that it had missed.
    """
    with backend_with_clients() as site, Helper(CROWD) as crowd:
        measure_storms(context, "resume", [site], crowd)
