"""Tests of the Content-Types of JSON; the answers are in test_json_content_of_sends."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim.protocol.bodies.json_content import (
    _CHARSETS,
    NotJson,
    UnknownCharset,
    charset_of,
    text_of,
)


def test_charset_of() -> None:
    """The charset is UTF-8, unless another one of Unicode is named."""
    assert charset_of("application/json") == "utf-8"
    assert charset_of("application/json;charset=UTF-16LE") == "utf-16le"
    with pytest.raises(UnknownCharset):
        charset_of("application/json;charset=latin1")
    for content_type in (None, "", "text/json", "application/json;", "application/json; a"):
        with pytest.raises(NotJson):
            charset_of(content_type)


def test_a_large_head_is_read_in_linear_time() -> None:
    """Twice the length takes about twice the time."""

    def cost(size: int) -> float:
        begun = time.process_time()
        for _ in range(20):
            for filling in (" " * size + "x", "; a=b" * (size // 5) + ";", ';a="' + r"\"" * size):
                with pytest.raises(NotJson):
                    charset_of("application/json" + filling)
        return time.process_time() - begun

    cost(1000)
    assert cost(16_000) < 100 * cost(1000) + 0.1


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        (b"\xef\xbb\xbf{}", "utf-8", "{}"),
        (b"\xef\xbb\xbf", "utf-8", ""),
        (b"{}\xc3", "utf-8", "{}\ufffd"),
        (b"\xff\xfe{\0}\0", "utf-16", "{}"),
        (b"\xfe\xff\0{\0}", "utf-16", "{}"),
        (b"{\0}\0", "utf-16", "{}"),
        (b"\0{\0}", "utf-16", "{}"),
        (b"\xff\xfe", "utf-16", ""),
        (b"\xfe", "utf-16le", ""),
        (b"{\0}\0x", "utf-16le", "{}"),
        (b"{\0\0\0}", "utf-32le", "{\ufffd"),
        (b"{\0\0\0", "utf-32", "{"),
        (b"\0\0\0{", "utf-32", "{"),
        (b"\xff\xfe\0\0{\0\0\0", "utf-32", "{"),
        (b"{}", "utf-32", "\ufffd"),
        (b"", "utf-32", ""),
        (b"+", "utf-7", ""),
        (b"+AOk-", "utf-7", "\xe9"),
    ],
)
def test_text_of(body: bytes, charset: str, text: str) -> None:
    """A byte order mark is removed, and an incomplete character is treated as in Node."""
    assert text_of(body, charset) == text


@given(st.sampled_from(sorted(_CHARSETS)), st.binary(max_size=12))
def test_any_bytes_have_a_text(charset: str, body: bytes) -> None:
    """Any bytes have a text, in every charset."""
    assert isinstance(text_of(body, charset), str)
