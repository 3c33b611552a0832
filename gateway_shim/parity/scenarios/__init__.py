"""Every scenario of the kit, as data; one module for each part of the contract."""

from __future__ import annotations

from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.scenarios.connect import CONNECT
from gateway_shim.parity.scenarios.contract import CONTRACT
from gateway_shim.parity.scenarios.divergences import DIVERGING
from gateway_shim.parity.scenarios.lifecycle import LIFECYCLE
from gateway_shim.parity.scenarios.methods import METHODS
from gateway_shim.parity.scenarios.sends import SENDS

__all__ = ["SCENARIOS"]

SCENARIOS: tuple[Scenario, ...] = (*CONNECT, *LIFECYCLE, *SENDS, *METHODS, *CONTRACT, *DIVERGING)
"""All of them; the recorded ones first, in the recordings' order within a name."""
