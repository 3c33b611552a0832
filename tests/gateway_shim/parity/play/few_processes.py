"""The command ``parity`` with fewer scenarios that start gateways of their own.

Of each such scenario only the first case is played. The other cases ask how a gateway starts, calls
its backend and ends, and both recordings give the same answers: the dialect is no part of them. So
the run in one dialect plays all cases, and the run in the other one starts a third of the gateways.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway_shim.parity import cli, options
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.scenarios import SCENARIOS

__all__ = ["FEW", "LEFT_OUT"]


def _further_cases(scenarios: Iterable[Scenario]) -> Iterator[Scenario]:
    names: set[str] = set()
    for scenario in scenarios:
        if scenario.process is not None:
            if scenario.name in names:
                yield scenario
            names.add(scenario.name)


LEFT_OUT = tuple(_further_cases(SCENARIOS))
"""The scenarios that are not played."""

FEW = tuple(scenario for scenario in SCENARIOS if scenario not in LEFT_OUT)
"""The scenarios that are played."""

if __name__ == "__main__":
    options.SCENARIOS = FEW
    cli.main()
