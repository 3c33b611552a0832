"""Every scenario of the kit, as data; one module for each part of the contract."""

from __future__ import annotations

from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.scenarios.callbacks.disconnects import DISCONNECTS
from gateway_shim.parity.scenarios.callbacks.statuses import CALLBACK_STATUSES
from gateway_shim.parity.scenarios.callbacks.urls import CALLBACK_URLS
from gateway_shim.parity.scenarios.callbacks.wire import CALLBACK_WIRE
from gateway_shim.parity.scenarios.connect import CONNECT
from gateway_shim.parity.scenarios.contract_tables import CONTRACT_TABLES
from gateway_shim.parity.scenarios.diverging import DIVERGING
from gateway_shim.parity.scenarios.event_texts import EVENT_TEXTS
from gateway_shim.parity.scenarios.lifecycle import LIFECYCLE
from gateway_shim.parity.scenarios.process_life import PROCESS_LIFE
from gateway_shim.parity.scenarios.requests.bodies import REQUEST_BODIES
from gateway_shim.parity.scenarios.requests.content_types import CONTENT_TYPES
from gateway_shim.parity.scenarios.requests.heads import REQUEST_HEADS
from gateway_shim.parity.scenarios.requests.json_texts import REQUEST_JSON
from gateway_shim.parity.scenarios.requests.methods import METHODS
from gateway_shim.parity.scenarios.requests.order import REQUEST_ORDER
from gateway_shim.parity.scenarios.sends import SENDS

__all__ = ["SCENARIOS"]

SCENARIOS: tuple[Scenario, ...] = (
    *CONNECT,
    *LIFECYCLE,
    *SENDS,
    *METHODS,
    *CONTRACT_TABLES,
    *CALLBACK_STATUSES,
    *CALLBACK_WIRE,
    *CALLBACK_URLS,
    *DISCONNECTS,
    *DIVERGING,
    *REQUEST_HEADS,
    *CONTENT_TYPES,
    *REQUEST_BODIES,
    *REQUEST_JSON,
    *EVENT_TEXTS,
    *REQUEST_ORDER,
    *PROCESS_LIFE,
)
"""All scenarios; within a name, they have the order of the recordings."""
