"""Scenarios about requests that do not ask for a stream: other methods, health, readiness, HEAD."""

from __future__ import annotations

from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.steps import (
    Open,
    Request,
)

__all__ = ["METHODS", "method"]

_REQUESTS = (
    "OPTIONS /anything",
    "OPTIONS /internal/send",
    "POST /nope",
    "POST /api/sse/stream",
    "PUT /internal/send",
    "DELETE /x",
    "HEAD /healthz",
    "GET /healthz",
    "GET /readyz",
    "POST /healthz",
    "GET /healthz?x=1",
    "GET /HEALTHZ",
    "GET /healthz/",
)


def method(name: str, request: str) -> Scenario:
    """Return a scenario with a request that must not call the backend, as a case of ``name``."""
    verb, target = request.split(" ")
    return Scenario(
        name,
        (Request(verb, target),),
        {
            "request": request,
            "head": "$head:answer",
            "body": "$body:answer",
            "callbacks": "$actions",
        },
        case=request,
    )


METHODS = (
    *(method("other_methods", request) for request in _REQUESTS),
    Scenario(
        "head_on_stream_path",
        (Open(method="HEAD"),),
        {"head": "$head:s", "callbacks": "$actions"},
    ),
)
"""The given recordings' scenarios about everything except streams and sends."""
