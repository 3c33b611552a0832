"""Divergence 1 as a relation: Node's errors are HTML or without a body, ours are JSON.

A prediction would need the rules of Node's parsers. The relation needs only both answers:
everything in them must be the same, except for the form of an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway_shim.parity.judge.comparison import compare
from gateway_shim.parity.judge.raw_divergences import as_json

__all__ = ["are_one_error"]

_PAGE = "(html page)"
_JSON = "application/json; charset=utf-8"
_CODES: Mapping[int, frozenset[str]] = {
    400: frozenset({"BAD_REQUEST", "INVALID_JSON"}),
    404: frozenset({"NOT_FOUND"}),
    408: frozenset({"REQUEST_TIMEOUT"}),
    413: frozenset({"PAYLOAD_TOO_LARGE"}),
    415: frozenset({"UNSUPPORTED_CHARSET", "UNSUPPORTED_ENCODING"}),
    417: frozenset({"EXPECTATION_FAILED", "BAD_REQUEST"}),
    431: frozenset({"BAD_REQUEST"}),
}


def are_one_error(node: Any, ours: Any) -> bool:
    """Return whether two observations differ only in the form of their errors.

    Args:
        node: the Node gateway's answer, or all its answers on a connection.
        ours: the same of our gateway.
    """
    if not isinstance(node, Mapping) or not isinstance(ours, Mapping):
        return False
    if "answers" not in node:
        return _is_one_error(node, ours)
    return not compare(as_json(node), ours)


def _is_one_error(node: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    form, rest = _parts(node)
    our_form, our_rest = _parts(ours)
    status = node.get("status")
    # Node's parser ignores a body of another type, which then crashes the handler: 500.
    wanted = 400 if status == 500 and form == (_PAGE, "text/html; charset=utf-8") else status
    if form not in ((_PAGE, "text/html; charset=utf-8"), ("", None)) or our_form[1] != _JSON:
        return False
    return (
        ours.get("status") == wanted
        and rest == our_rest
        and _code(our_form[0]) in _CODES.get(wanted if isinstance(wanted, int) else 0, ())
    )


def _parts(answer: Mapping[str, Any]) -> tuple[tuple[Any, Any], dict[str, Any]]:
    """Split an answer into its body and type, and the rest without status and CORS headers."""
    headers = dict(answer.get("headers", {}))
    kind = headers.pop("content-type", None)
    body = answer["json"] if "json" in answer else answer.get("body")
    rest = {k: v for k, v in answer.items() if k not in ("status", "body", "json", "cors")}
    return (body, kind), {**rest, "headers": headers}


def _code(body: Any) -> Any:
    """Return the code of an error's JSON; None for any other text."""
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return None
    match body:
        case {"error": {"message": str(), "code": str(code)}}:
            return code
    return None
