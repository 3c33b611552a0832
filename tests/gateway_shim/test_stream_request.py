"""gateway_shim.stream_request: headers as a callback shows them, and a request's compact form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim import stream_request
from gateway_shim.stream_request import StreamRequest

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
    """Names in lower case; repeated values joined, or the first kept, as Node's http does."""
    assert stream_request.join_headers(pairs) == expected


def test_join_headers_keeps_the_order() -> None:
    """Headers stay in the order in which they first came."""
    pairs = [("B", "1"), ("A", "2"), ("B", "3")]
    assert list(stream_request.join_headers(iter(pairs)).items()) == [("b", "1, 3"), ("a", "2")]


@given(
    st.builds(
        StreamRequest,
        url=st.text(),
        headers=st.dictionaries(st.text(), st.text() | st.lists(st.text())),
        address=st.text(),
    )
)
def test_pack_request(request: StreamRequest) -> None:
    """What is packed comes out again."""
    assert stream_request.unpack_request(stream_request.pack_request(request)) == (
        request.address,
        {"url": request.url, "headers": request.headers},
    )
