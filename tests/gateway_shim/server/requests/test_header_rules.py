"""Rules for headers; test_request.py tests whole requests."""

from __future__ import annotations

import pytest
from gunicorn.http.errors import LimitRequestHeaders, UnsupportedTransferCoding

from gateway_shim.server.requests.header_rules import (
    MAX_HEAD_BYTES,
    MissingHost,
    RepeatedHost,
    check_codings,
    check_hosts,
    check_size,
    wants_close,
)

HOST = ("HOST", "h")


def test_check_hosts() -> None:
    """Exactly one Host is required; HTTP/1.0 may omit it."""
    check_hosts([HOST], (1, 1))
    check_hosts([], (1, 0))
    with pytest.raises(MissingHost):
        check_hosts([], (1, 1))
    with pytest.raises(RepeatedHost):
        check_hosts([HOST, HOST], (1, 0))


def test_check_size() -> None:
    """Target, header names, and header values count."""
    check_size("x" * (MAX_HEAD_BYTES - 6), [HOST])
    with pytest.raises(LimitRequestHeaders):
        check_size("x" * (MAX_HEAD_BYTES - 5), [HOST])


def test_check_codings() -> None:
    """Only the chunked coding is accepted."""
    check_codings([("TRANSFER-ENCODING", "identity, Chunked")])
    for value in ("gzip, chunked", "gzip,chunked", "chunkedx, chunked"):
        with pytest.raises(UnsupportedTransferCoding):
            check_codings([("TRANSFER-ENCODING", value)])


def test_wants_close() -> None:
    """``close`` takes precedence, at any position."""
    assert wants_close([], (1, 1)) is False
    assert wants_close([], (1, 0)) is True
    assert wants_close([("CONNECTION", "a,\tCLOSE"), ("CONNECTION", "keep-alive")], (1, 1)) is True
    assert wants_close([("CONNECTION", "Keep-Alive")], (1, 0)) is False
