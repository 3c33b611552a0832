"""The numbered divergences of our gateway from Node's, with the exact answers of ours.

A divergence excuses one answer in one scenario: the whole observation must be the recorded one with
the given parts replaced. Any other difference remains a difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway_shim.parity.judge.callback_divergences import (
    CALLBACK_DIVERGENCES,
    CALLBACK_DIVERGENCES_BY_DIALECT,
    STREAM,
    UNAVAILABLE,
    Changes,
)
from gateway_shim.parity.judge.comparison import ANY_TEXT
from gateway_shim.parity.judge.payload_divergences import PAYLOAD_DIVERGENCES
from gateway_shim.parity.judge.raw_divergences import RAW_DIVERGENCES, READY, as_json

__all__ = ["DIVERGENCES", "Divergence", "expectation"]


@dataclass(frozen=True, slots=True)
class Divergence:
    """One numbered divergence.

    Args:
        number: the number in docs/contract.md.
        title: a line that says what our gateway does.
    """

    number: int
    title: str


_TITLES = {
    1: "errors are JSON, never an HTML page with a stack trace",
    2: "a line end or NUL in an event's name is refused",
    3: "data is split at CR LF, CR and LF",
    4: "a buffered send without an event writes nothing",
    5: "HEAD on a stream's path does not call the backend",
    6: "an envelope's payload is always JSON",
    7: "the stream of a client that stops reading is ended",
    8: "SIGTERM ends every stream cleanly, then the process",
    9: "only a final answer with a status from 200 to 599 counts as the backend's answer",
    10: "the gateway listens on the loopback unless HOST names another address",
    11: "a close is answered, and the stream ended, before the disconnect callback",
    12: "a user name and password in CALLBACK_URL are sent as Basic authorization",
    13: "a backend's certificate is always checked, with the authorities that variables name",
    14: "the bodies of all requests except sends are ignored",
    15: "an unknown coding of a body is refused, with an error that says so",
    16: "a stream is the last answer on its connection",
    17: "an unknown method is answered with 404",
    18: "SIGHUP reloads a gateway that has started",
    19: "HTTP is read strictly as its standards say, and every request is answered",
    20: "a CALLBACK_URL or a file of authorities that cannot be used stops the start",
}

DIVERGENCES: Mapping[int, Divergence] = {
    number: Divergence(number, title) for number, title in _TITLES.items()
}

_JSON = {"content-type": "application/json; charset=utf-8"}
_NOT_FOUND = '{"error":{"message":"$TEXT","code":"NOT_FOUND"}}'


def _refused(status: int, code: str) -> dict[str, Any]:
    error = {"error": {"message": ANY_TEXT, "code": code}}
    return {"status": status, "headers": _JSON, "json": error}


_BAD_JSON = {"answer": _refused(400, "INVALID_JSON")}
_BAD_CODING = {"answer": _refused(415, "UNSUPPORTED_ENCODING")}
_TOO_LARGE = {"answer": _refused(413, "PAYLOAD_TOO_LARGE")}
_BAD_NAME = {"answer": _refused(400, "INVALID_EVENT_NAME_TYPE"), "bytes": ""}
_NO_PAGE = {"head": {"headers": _JSON}, "body": _NOT_FOUND}
_TOKEN_GONE = _refused(404, "TOKEN_NOT_FOUND")
_CLEAN_EXIT = {"exit_code": 0, "seconds": 0}
_TOLD = ["disconnect", "server_closed"]
_AB = {"bytes": "data: a\ndata: b\n\n"}

_ALWAYS: Mapping[str, tuple[int, Changes]] = {
    **{
        f"send_malformed_bodies/{case}": (1, _BAD_JSON)
        for case in (
            "bad_json",
            "json_string",
            "json_null",
            "form",
            "no_content_type",
            "text_plain",
            "vendor_json",
        )
    },
    "send_malformed_bodies/101k": (1, _TOO_LARGE),
    "send_compressed/gzip_but_plain": (1, _BAD_JSON),
    "send_compressed/gzip_bomb": (1, _TOO_LARGE),
    "send_compressed/x_gzip": (1, _BAD_CODING),
    "send_compressed/unknown": (1, _BAD_CODING),
    **{
        f"other_methods/{request}": (1, _NO_PAGE)
        for request in (
            "POST /nope",
            "POST /api/sse/stream",
            "PUT /internal/send",
            "DELETE /x",
            "POST /healthz",
        )
    },
    **{
        f"methods/{request}": (1, _NO_PAGE)
        for request in (
            "POST /readyz",
            "PATCH /internal/send",
            "DELETE /internal/send",
            "PUT /healthz",
        )
    },
    "divergence_1/not_json": (1, _BAD_JSON),
    "divergence_1/other_content_type": (1, _BAD_JSON),
    "divergence_1/too_large": (1, _TOO_LARGE),
    "divergence_1/PUT /anything": (1, _NO_PAGE),
    "send_events/name_newline": (2, _BAD_NAME),
    "divergence_2/line_feed": (2, _BAD_NAME),
    "divergence_2/carriage_return": (2, _BAD_NAME),
    "divergence_2/nul": (2, _BAD_NAME),
    "send_events/crlf": (3, _AB),
    "send_events/lone_cr": (3, _AB),
    "divergence_3/mixed": (3, {"bytes": "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"}),
    "buffered_close_only": (4, {"bytes": ""}),
    "divergence_5": (5, {"callbacks": ["connect"]}),
    "head_on_stream_path": (5, {"callbacks": []}),
    "divergence_7": (
        7,
        {
            "ended": True,
            "send_after": _TOKEN_GONE,
            "callbacks": [["connect", None], ["disconnect", "error"]],
        },
    ),
    "sigterm_with_open_stream": (8, {**_CLEAN_EXIT, "ended": "clean", "callbacks": [_TOLD]}),
    "divergence_8": (
        8,
        {**_CLEAN_EXIT, "ended": ["clean", "clean"], "callbacks": [_TOLD, _TOLD]},
    ),
    "divergence_9/600": (9, UNAVAILABLE),
    "divergence_9/999": (9, UNAVAILABLE),
    "divergence_9/100_then_200": (9, {"head": STREAM}),
    **CALLBACK_DIVERGENCES,
}

_READYZ = "divergence_14/GET /readyz"
_READY = "event: ready\ndata:\n\n"


def _payload(payload: str) -> Changes:
    return {"bytes": f'data: {{"type":"n","payload":{payload}}}\n\n'}


_BY_DIALECT: Mapping[str, Mapping[str, tuple[int, Changes]]] = {
    "named": {
        _READYZ: (14, READY["named"]),
        "buffered_empty_send": (4, {"bytes": ""}),
        "divergence_3/named": (3, {"bytes": 'event: n\ndata: "a"\ndata: \n\n'}),
        "divergence_4/empty_between_events": (
            4,
            {"bytes": "event: a\ndata: 1\n\nevent: a\ndata: 2\n\n"},
        ),
        "divergence_4/close_after_event": (4, {"bytes": "event: a\ndata: 1\n\n"}),
    },
    "envelope": {
        _READYZ: (14, READY["envelope"]),
        "buffered_empty_send": (4, {"bytes": _READY}),
        "divergence_3/named": (
            3,
            {"bytes": 'data: {"type":"n","payload":"a"\ndata: }\n\n'},
        ),
        "divergence_4/empty_between_events": (
            4,
            {
                "bytes": 'data: {"type":"a","payload":1}\n\n'
                'data: {"type":"a","payload":2}\n\n' + _READY
            },
        ),
        "divergence_4/close_after_event": (4, {"bytes": 'data: {"type":"a","payload":1}\n\n'}),
        "send_events/named_empty_data": (6, _payload("null")),
        "send_events/data_not_json_named": (6, _payload('"plain text"')),
        "send_events/named_multiline": (6, _payload('"1\\n2"')),
        "divergence_6/empty": (6, _payload("null")),
        "divergence_6/text": (6, _payload('"say \\"hi\\""')),
        "divergence_6/not_quite_json": (6, _payload('"NaN"')),
        "divergence_6/newline_in_text": (6, _payload('"a\\nb"')),
        "divergence_6/newline_in_json": (
            6,
            {"bytes": 'data: {"type":"n","payload":{"a":\ndata: 1}}\n\n'},
        ),
    },
}


def expectation(scenario_id: str, dialect: str, recorded: Any) -> tuple[int, Any] | None:
    """Return what our gateway must show where it diverges from a recording.

    Args:
        scenario_id: the name and case of the scenario.
        dialect: ``named`` or ``envelope``.
        recorded: what a Node gateway showed.

    Returns:
        The divergence's number and the whole observation; None if there is no divergence.
    """
    tables = (
        _ALWAYS,
        _BY_DIALECT[dialect],
        CALLBACK_DIVERGENCES_BY_DIALECT[dialect],
        RAW_DIVERGENCES,
        PAYLOAD_DIVERGENCES[dialect],
    )
    found = next((table[scenario_id] for table in tables if scenario_id in table), None)
    if not isinstance(recorded, Mapping):
        return None
    if found is None:
        answer = as_json(recorded.get("answer"))
        return None if answer == recorded.get("answer") else (1, {**recorded, "answer": answer})
    number, changes = found
    return number, _changed(recorded, changes)


def _changed(recorded: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """Return the recorded value with parts replaced; in ``head``, None removes a header."""
    changed = {**recorded, **changes}
    if "head" in changes:
        head, new = recorded["head"], changes["head"]
        headers = {**head["headers"], **new.get("headers", {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        changed["head"] = {**head, **new, "headers": headers}
    return changed
