"""Deliberate faults in how requests are read: what only odd requests can show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway_shim.protocol import json_text
from gateway_shim.protocol.bodies import json_content
from gateway_shim.server.requests import header_rules, request_line
from gateway_shim.server.responses import kept_response

__all__ = ["REQUEST_MUTANTS"]


def _small_head() -> None:
    """A head may have half of what it should."""
    header_rules.MAX_HEAD_BYTES //= 2
    from gateway_shim.server.requests import request as server_request

    server_request.MAX_RECEIVED_BYTES //= 2


def _first_host_wins() -> None:
    """Whoever checks the other Host is fooled."""
    header_rules.check_hosts = lambda headers, version: None


def _no_empty_lines() -> None:
    """An empty line before a request is a bad request."""
    request_line.empty_lines = lambda data: 0


def _silent_keep_alive() -> None:
    """No client is told how long a connection is kept."""
    kept_response._KEPT = "never"


def _connection_is_no_list() -> None:
    """``Connection: x, close`` does not close."""
    header_rules.wants_close = lambda headers, version: ("CONNECTION", "close") in headers


def _shallow_json() -> None:
    """JSON that is nested deeper than Python's own limit is none."""

    def refuse(*_args: Any) -> Any:
        raise ValueError("nested too deeply")

    json_text.parse_deep = refuse


def _any_charset() -> None:
    """A charset that is not known is taken for UTF-8."""
    json_content.charset_of = lambda content_type: "utf-8"


def _any_coding() -> None:
    """What is compressed below the chunks is taken as it is."""
    header_rules.check_codings = lambda headers: None


REQUEST_MUTANTS: dict[str, Callable[[], None]] = {
    "small_head": _small_head,
    "first_host_wins": _first_host_wins,
    "no_empty_lines": _no_empty_lines,
    "silent_keep_alive": _silent_keep_alive,
    "connection_is_no_list": _connection_is_no_list,
    "shallow_json": _shallow_json,
    "any_charset": _any_charset,
    "any_coding": _any_coding,
}
"""Each fault by its name."""
