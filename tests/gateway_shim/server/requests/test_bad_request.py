"""The answer to a request that cannot be parsed."""

from __future__ import annotations

import json
import logging
import ssl

import gevent
import pytest
from gunicorn.http import errors

from gateway_shim.server.requests.bad_request import bad_request, log_bad_request
from gateway_shim.server.requests.header_rules import MissingHost, RepeatedHost


@pytest.mark.parametrize(
    ("exc", "status", "message"),
    [
        (errors.InvalidRequestLine("<secret>"), 400, "Bad request: InvalidRequestLine"),
        (errors.InvalidHeader("<secret>"), 400, "Bad request: InvalidHeader"),
        (errors.InvalidChunkSize("<secret>"), 400, "Bad request: InvalidChunkSize"),
        (MissingHost(), 400, "Bad request: HTTP/1.1 needs a Host header"),
        (RepeatedHost(), 400, "Bad request: there is more than one Host header"),
        (errors.LimitRequestLine(9000, 8190), 414, "Bad request: LimitRequestLine"),
        (errors.LimitRequestHeaders("<secret>"), 431, "Bad request: LimitRequestHeaders"),
        (errors.ExpectationFailed("<secret>"), 417, "Bad request: ExpectationFailed"),
        (
            errors.UnsupportedTransferCoding("<secret>"),
            501,
            "Bad request: UnsupportedTransferCoding",
        ),
        (errors.ForbiddenProxyRequest("<secret>"), 403, "Bad request: ForbiddenProxyRequest"),
        (ssl.SSLError("<secret>"), 400, "Bad request: no valid TLS"),
    ],
)
def test_clients_fault(exc: Exception, status: int, message: str) -> None:
    """The answer has the status for the kind of error, and does not repeat the client's bytes."""
    refusal = bad_request(exc)
    assert refusal is not None
    assert (refusal.status, refusal.in_stream, refusal.headers) == (status, None, ())
    assert json.loads(refusal.body) == {"error": {"message": message, "code": "BAD_REQUEST"}}


@pytest.mark.parametrize(
    "exc",
    [
        errors.ConfigurationProblem("x"),
        OSError(),
        ValueError(),
        gevent.GreenletExit(),
        SystemExit(),
    ],
)
def test_not_the_clients_fault(exc: BaseException) -> None:
    """Other exceptions are not bad requests."""
    assert bad_request(exc) is None


def test_log_bad_request(caplog: pytest.LogCaptureFixture) -> None:
    """The log line has the reason, with a limited length."""
    refusal = bad_request(errors.InvalidHeader("X"))
    assert refusal is not None
    log_bad_request(logging.getLogger("x"), "192.0.2.1", refusal, errors.InvalidHeader("y" * 999))
    (record,) = caplog.records
    found = vars(record)
    assert (record.message, found["address"], found["status"]) == ("bad request", "192.0.2.1", 400)
    assert len(found["error"]) == 200
