"""Tests of the headers in a callback, and of the packed form of a request."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_shim.protocol import stream_request
from gateway_shim.protocol.stream_request import MAX_PACKED_BYTES, MAX_URL_CHARACTERS, StreamRequest

JOINED = [
    ([], {}),
    ([("Host", "gw.example"), ("ACCEPT", "a")], {"host": "gw.example", "accept": "a"}),
    ([("X-Dup", "1"), ("x-dup", "2"), ("X-DUP", "")], {"x-dup": "1, 2, "}),
    ([("Cookie", "a=b"), ("cookie", "c=d")], {"cookie": "a=b; c=d"}),
    ([("X-Empty", "")], {"x-empty": ""}),
    ([("X-Empty", ""), ("X-Empty", "1")], {"x-empty": ", 1"}),
    ([("X-Latin", "\xe9")], {"x-latin": "\xe9"}),
    ([("x_y", "1"), ("x-y", "2")], {"x_y": "1", "x-y": "2"}),
    ([("Last-Event-ID", "7"), ("Last-Event-ID", "8")], {"last-event-id": "7, 8"}),
    ([("Set-Cookie", "a=b")], {"set-cookie": ["a=b"]}),
    ([("Set-Cookie", "a=b"), ("set-cookie", "")], {"set-cookie": ["a=b", ""]}),
    *(
        ([(name.title(), "first"), (name, "second")], {name: "first"})
        for name in (
            "age",
            "authorization",
            "content-length",
            "content-type",
            "etag",
            "expires",
            "from",
            "host",
            "if-modified-since",
            "if-unmodified-since",
            "last-modified",
            "location",
            "max-forwards",
            "proxy-authorization",
            "referer",
            "retry-after",
            "server",
            "user-agent",
        )
    ),
]


@pytest.mark.parametrize(("pairs", "expected"), JOINED)
def test_join_headers(pairs: list[tuple[str, str]], expected: dict[str, str | list[str]]) -> None:
    """Names are in small letters; repeated values are joined, or the first is kept, as in Node."""
    assert stream_request.join_headers(pairs) == expected


def test_join_headers_keeps_the_order() -> None:
    """Headers stay in the order of their first occurrence."""
    pairs = [("B", "1"), ("A", "2"), ("B", "3")]
    assert list(stream_request.join_headers(iter(pairs)).items()) == [("b", "1, 3"), ("a", "2")]


@given(
    st.builds(
        StreamRequest,
        url=st.text(max_size=30),
        headers=st.dictionaries(
            st.text(max_size=20),
            st.text(max_size=30) | st.lists(st.text(max_size=10), max_size=3),
            max_size=8,
        ),
        address=st.text(),
    )
)
def test_pack_request(request: StreamRequest) -> None:
    """A packed request can be unpacked."""
    assert stream_request.unpack_request(stream_request.pack_request(request)) == (
        request.address,
        {"url": request.url, "headers": request.headers},
    )


CHANCE = random.Random(11)

LATIN_1 = "".join(map(chr, [*range(0x20, 0x7F), *range(0xA0, 0x100)]))


def incompressible(characters: int) -> str:
    """Return a text that cannot be compressed."""
    return "".join(CHANCE.choices(LATIN_1, k=characters))


HEADS = {
    "one letter": ("/s?request_id=1", {"host": "h", "x": "\xff" * 15_000}),
    "quotes": ("/s?request_id=1", {"host": "h", "x": '"' * 15_000}),
    "cookies": ("/s?request_id=1", {"host": "h", "cookie": "a=" + "0f5c9Zq_" * 1500}),
    "a large pass": ("/s?request_id=1", {"host": "h", "cookie": incompressible(3000)}),
}


@pytest.mark.parametrize(("url", "headers"), HEADS.values(), ids=HEADS)
def test_a_large_request_is_packed_whole(url: str, headers: dict[str, str]) -> None:
    """A large head that can be compressed, or has large cookies, is packed whole."""
    packed = stream_request.pack_request(StreamRequest(url, headers, address="192.0.2.1"))
    assert len(packed) <= MAX_PACKED_BYTES
    assert stream_request.unpack_request(packed) == (
        "192.0.2.1",
        {"url": url, "headers": headers},
    )


def test_long_headers_are_left_out() -> None:
    """Of a head that is too large, the URL and the short headers are kept, in their order."""
    headers = {"host": "h", "x-long": incompressible(14_000), "accept": "text/event-stream"}
    packed = stream_request.pack_request(StreamRequest("/s?request_id=1", headers, address="a"))
    kept = {"host": "h", "accept": "text/event-stream"}
    assert stream_request.unpack_request(packed) == (
        "a",
        {"url": "/s?request_id=1", "headers": kept},
    )


def test_a_long_url_is_cut() -> None:
    """The beginning of a URL that is too long is kept, because it has the path."""
    url = f"/s?request_id=1&more={incompressible(8000)}"
    packed = stream_request.pack_request(StreamRequest(url, {"host": "h"}))
    shown = stream_request.unpack_request(packed)[1]["url"]
    assert (len(shown), shown[:-1], shown[-1]) == (MAX_URL_CHARACTERS, url[: len(shown) - 1], "…")


@given(
    url=st.text(LATIN_1, max_size=100).map(lambda text: (text * 100)[:8190]),
    headers=st.dictionaries(st.text("abc-", min_size=1), st.text(LATIN_1, max_size=60)),
    long=st.integers(0, 14_000),
    many=st.integers(0, 900),
)
@settings(max_examples=40)
def test_a_packed_request_is_small(url: str, headers: dict[str, str], long: int, many: int) -> None:
    """A packed request has a few kilobytes at most, whatever the head contains."""
    headers |= {f"x{number}": incompressible(8) for number in range(many)}
    headers["long"] = incompressible(long)
    packed = stream_request.pack_request(StreamRequest(url, headers, address="2001:db8::1"))
    assert len(packed) <= MAX_PACKED_BYTES
    address, request = stream_request.unpack_request(packed)
    assert address == "2001:db8::1"
    assert request["headers"].items() <= headers.items()


def test_address_and_url() -> None:
    """The address and the URL of a packed request can be read without its headers."""
    for headers in ({"host": "h"}, {"x": "\xff" * 15_000}):
        request = StreamRequest("/s\n?x", headers, address="192.0.2.1")
        packed = stream_request.pack_request(request)
        assert stream_request.address_and_url(packed) == ("192.0.2.1", "/s\n?x")


def test_pack_request_without_headers() -> None:
    """Without its headers, a packed request has the address and the URL for the log."""
    request = StreamRequest("/s", {"host": "h"}, address="192.0.2.1")
    packed = stream_request.pack_request(request, keep_headers=False)
    assert stream_request.unpack_request(packed) == ("192.0.2.1", {"url": "/s", "headers": {}})


def test_shorten_url() -> None:
    """A URL of the usual length is not cut."""
    usual = "/" + "x" * (MAX_URL_CHARACTERS - 1)
    assert stream_request.shorten_url(usual) == usual
    assert stream_request.shorten_url(usual + "y") == usual[:-1] + "…"
