"""The refusal of requests that come from other pages or ask for other hosts."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from app.access.request_guard import NotOwnPage, RequestGuard
from app.config import Settings
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.refusal_counts import RefusalCounts

PAGE = "https://app.example"
OWN = {"host": "127.0.0.1:5000"}


def guard(counts: RefusalCounts | None = None, **settings: Any) -> RequestGuard:
    """Return a guard with some settings."""
    return RequestGuard(Settings(_env_file=None, **settings), counts or RefusalCounts())


def request(listener: str | None = "127.0.0.1", **headers: str) -> StreamRequest:
    """Return a browser's request for a stream."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return StreamRequest("/x", {**OWN, **named}, address="192.0.2.1", listener=listener)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"origin": "http://127.0.0.1:5000"},
        {"sec_fetch_site": "cross-site", "origin": PAGE},
        {"sec_fetch_site": "same-origin", "origin": "http://localhost:5173"},
    ],
)
def test_streams_that_may_open(headers: dict[str, str]) -> None:
    """Own pages, listed pages and programs may open a stream."""
    assert guard(cors_origins=PAGE).refuse_stream(request(**headers)) is None


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://evil.example/x", 403),
        ("HTTP://evil.example:5000", 403),
        ("http://localhost@evil.example/x", 403),
        ("http://localhost:5000/x", None),
        ("http:///x", None),
        ("/http://evil.example/x", None),
    ],
)
def test_a_host_in_the_target(target: str, status: int | None) -> None:
    """A host in the request target is checked instead of ``Host``."""
    refusal = guard().refuse_stream(StreamRequest(target, OWN, listener="127.0.0.1"))
    assert (refusal and refusal.status) == status


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "origin": "http://127.0.0.1:5173"},
        {"origin": "http://127.0.0.1:5173"},
        {"origin": "null"},
    ],
)
def test_streams_of_other_pages(headers: dict[str, str]) -> None:
    """A stream of another page is refused with 403 and what to set, and counted."""
    counts = RefusalCounts()
    refusal = guard(counts, cors_origins=PAGE).refuse_stream(request(**headers))
    assert refusal is not None
    assert (refusal.status, refusal.in_stream) == (403, None)
    error = json.loads(refusal.body)["error"]
    assert error["code"] == "CROSS_SITE"
    assert "CORS_ORIGINS" in error["message"]
    assert counts.by_reason["cross_site"] == counts.by_reason.total() == 1


def test_streams_of_another_host() -> None:
    """A stream for a name that was made to mean 127.0.0.1 is refused."""
    counts = RefusalCounts()
    rebound = {"host": "evil.example:5000", "sec_fetch_site": "same-origin"}
    refusal = guard(counts).refuse_stream(request(**rebound))
    assert refusal is not None
    error = json.loads(refusal.body)["error"]
    assert (refusal.status, error["code"]) == (403, "HOST_NOT_ALLOWED")
    assert counts.by_reason["host_not_allowed"] == counts.by_reason.total() == 1
    assert guard(allowed_hosts="evil.example").refuse_stream(request(**rebound)) is None
    for listener in ("0.0.0.0", None):
        assert guard().refuse_stream(request(listener, **rebound)) is None


def test_the_log_is_short(caplog: pytest.LogCaptureFixture) -> None:
    """The log line is short, however long a client's header is."""
    caplog.set_level(logging.WARNING)
    long = "x" * 10_000
    asked = [request(origin=long), request(host=long), request(sec_fetch_site=long)]
    assert all(guard().refuse_stream(each) for each in asked)
    assert [record.getMessage() for record in caplog.records] == [
        "cross-site request refused; see CORS_ORIGINS",
        "request for another host refused; see ALLOWED_HOSTS",
        "cross-site request refused; see CORS_ORIGINS",
    ]
    assert all(len(str(vars(record))) < 2500 for record in caplog.records)


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"origin": "http://127.0.0.1:5000"}, True),
        ({"origin": PAGE}, False),
        ({"origin": PAGE, "sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"origin": "null"}, False),
    ],
)
@pytest.mark.parametrize("origins", ["", PAGE, "*"])
def test_own_pages_only(headers: dict[str, str], is_own: bool, origins: str) -> None:
    """The strict check accepts own pages and programs, whatever CORS_ORIGINS allows."""
    counts = RefusalCounts()
    check = guard(counts, cors_origins=origins).check_own_page
    header = {**OWN, **headers}.get
    if is_own:
        check(header, "192.0.2.1")
    else:
        with pytest.raises(NotOwnPage, match="Only a page of this server"):
            check(header, "192.0.2.1")
    assert counts.by_reason["cross_site"] == (not is_own)
