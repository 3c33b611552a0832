"""Deliberate faults in how requests are read, which only odd requests can show."""

from __future__ import annotations

from typing import Any

from gateway_shim.protocol import json_text
from gateway_shim.protocol.bodies import json_content
from gateway_shim.server.requests import header_rules, request_line
from gateway_shim.server.responses import kept_response
from tests.gateway_shim.parity.mutants.fault_registry import FaultRegistry

__all__ = ["FAULTS"]

FAULTS = FaultRegistry()
"""The faults of requests, by name."""


@FAULTS.add
def small_head() -> None:
    """Halve the size that a request head may have."""
    header_rules.MAX_HEAD_BYTES //= 2
    from gateway_shim.server.requests import request as server_request

    server_request.MAX_RECEIVED_BYTES //= 2


@FAULTS.add
def first_host_wins() -> None:
    """Accept two Host headers that differ."""
    header_rules.check_hosts = lambda headers, version: None


@FAULTS.add
def no_empty_lines() -> None:
    """Refuse an empty line before a request."""
    request_line.empty_lines = lambda data: 0


@FAULTS.add
def silent_keep_alive() -> None:
    """Leave out how long a connection is kept."""
    kept_response._KEPT = "never"


@FAULTS.add
def connection_is_no_list() -> None:
    """Keep the connection after ``Connection: x, close``."""
    header_rules.wants_close = lambda headers, version: ("CONNECTION", "close") in headers


@FAULTS.add
def shallow_json() -> None:
    """Refuse JSON that is nested deeper than Python's own limit."""

    def refuse(*_args: Any) -> Any:
        raise ValueError("nested too deeply")

    json_text.parse_deep = refuse  # type: ignore[assignment,attr-defined]


@FAULTS.add
def any_charset() -> None:
    """Read a body in an unknown charset as UTF-8."""
    json_content.charset_of = lambda content_type: "utf-8"


@FAULTS.add
def any_coding() -> None:
    """Accept a transfer coding below the chunks without decoding it."""
    header_rules.check_codings = lambda headers: None
