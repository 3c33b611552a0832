"""Scenarios about the Content-Type of a send: accepted types, other types, charsets."""

from __future__ import annotations

from gateway_shim.parity.scenarios.requests.raw_requests import EVENT, JSON, post, raw_send

__all__ = ["CONTENT_TYPES"]

_TYPES = "request_content_types"

_CONTENT_TYPES: tuple[tuple[str, str], ...] = (
    ("semicolon", "application/json;"),
    ("no_value", "application/json; charset"),
    ("empty_value", "application/json; charset="),
    ("upper", "APPLICATION/JSON; CHARSET=UTF-8"),
    ("quoted", 'application/json; charset="utf-8"'),
    ("single_quoted", "application/json; charset='utf-8'"),
    ("escaped", 'application/json; charset="ut\\f-8"'),
    ("no_space", "application/json;charset=utf-8"),
    ("spaces", "application/json  ;  charset=utf-8  "),
    ("space_before_equals", "application/json; charset =utf-8"),
    ("utf8", "application/json; charset=utf8"),
    ("utf_16", "application/json; charset=utf-16"),
    ("utf_16le", "application/json; charset=utf-16le"),
    ("utf_32", "application/json; charset=utf-32"),
    ("utf_7", "application/json; charset=utf-7"),
    ("latin1", "application/json; charset=iso-8859-1"),
    ("ascii", "application/json; charset=us-ascii"),
    ("unknown", "application/json; charset=foo"),
    ("twice", "application/json; charset=utf-8; charset=utf-16"),
    ("twice_the_same", "application/json; charset=utf-8; charset=utf-8"),
    ("other_parameter", "application/json; version=1"),
    ("parameter_without_value", "application/json; foo"),
    ("parameter_without_name", "application/json; =x"),
    ("trailing_semicolon", "application/json; charset=utf-8;"),
    ("list", "application/json, text/plain"),
    ("suffix", "application/json+x"),
    ("text_json", "text/json"),
    ("any_subtype", "application/*"),
    ("any", "*/*"),
    ("json", "json"),
    ("space_in_it", "application/ json"),
    ("longer", "application/jsonx"),
    ("empty", ""),
    ("two_slashes", "application/json/x"),
)

CONTENT_TYPES = (
    *(
        raw_send(_TYPES, case, post(EVENT, f"Content-Type: {value}".rstrip()))
        for case, value in _CONTENT_TYPES
    ),
    raw_send(_TYPES, "two_headers", post(EVENT, JSON, "Content-Type: text/plain")),
    raw_send(_TYPES, "two_headers_json_last", post(EVENT, "Content-Type: text/plain", JSON)),
)
"""Sends with every form of Content-Type."""
