"""Tests of compressed bodies, broken and hostile ones included."""

from __future__ import annotations

import contextlib
import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim.protocol.bodies.content_coding import (
    BrokenCoding,
    TooLarge,
    UnknownCoding,
    decode,
    is_identity,
)

TEXT = b'{"token":"t"}' * 20
RAW_DEFLATE = zlib.compress(TEXT)[2:-4]


@pytest.mark.parametrize("coding", [None, "", "identity", "IDENTITY", " identity "])
def test_identity(coding: str | None) -> None:
    """A body without a coding stays unchanged."""
    assert is_identity(coding)
    assert decode(coding, TEXT, 10) == TEXT


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("GZip", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
        ("gzip", gzip.compress(TEXT) + b"\0" * 100),
        ("gzip", gzip.compress(TEXT) + b"\0" + gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("DEFLATE", zlib.compress(TEXT, 0)),
        ("deflate", zlib.compress(TEXT) + zlib.compress(TEXT)),
    ],
    ids=[
        *("gzip", "upper case", "two members", "padded", "more behind a zero"),
        *("deflate", "stored", "deflate twice"),
    ],
)
def test_compressed(coding: str, body: bytes) -> None:
    """Both codings are decompressed, in small or capital letters."""
    assert not is_identity(coding)
    assert decode(coding, body, len(TEXT)) == TEXT


@pytest.mark.parametrize(
    "coding", ["br", "zstd", "x-gzip", "compress", "gzip, deflate", "gzip,gzip", "gzip;q=1", "x"]
)
def test_unknown(coding: str) -> None:
    """Other codings, and several codings, are refused by name."""
    with pytest.raises(UnknownCoding, match="use gzip, deflate or none"):
        decode(coding, gzip.compress(TEXT), 1000)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b""),
        ("gzip", TEXT),
        ("gzip", zlib.compress(TEXT)),
        ("gzip", gzip.compress(TEXT)[:-1]),
        ("gzip", gzip.compress(TEXT)[:-5] + b"12345"),
        ("gzip", gzip.compress(TEXT) + b"x"),
        ("gzip", gzip.compress(TEXT) + gzip.compress(TEXT)[:20]),
        ("gzip", gzip.compress(b"x") * 17),
        ("deflate", b""),
        ("deflate", gzip.compress(TEXT)),
        ("deflate", RAW_DEFLATE),
    ],
    ids=[
        *("gzip empty", "gzip plain", "gzip zlib", "gzip cut", "gzip checksum", "gzip more"),
        *("gzip second cut", "gzip many", "deflate empty", "deflate gzip", "deflate raw"),
    ],
)
def test_broken(coding: str, body: bytes) -> None:
    """A body that does not fit its coding, is incomplete, or has further bytes is refused."""
    with pytest.raises(BrokenCoding):
        decode(coding, body, 10_000)


@pytest.mark.parametrize(
    "body",
    [gzip.compress(TEXT), gzip.compress(TEXT[:5]) + gzip.compress(TEXT)],
    ids=["one member", "two"],
)
def test_limit(body: bytes) -> None:
    """The size limit applies to all members together."""
    whole = gzip.decompress(body)
    assert decode("gzip", body, len(whole)) == whole
    with pytest.raises(TooLarge, match=r"larger than \d+ bytes once it is decompressed"):
        decode("gzip", body, len(whole) - 1)


def test_bomb() -> None:
    """A body that would grow to a hundred megabytes is refused before it grows."""
    bomb = gzip.compress(b"\0" * 100_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decode("gzip", bomb, 102_400)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


@given(st.sampled_from(["gzip", "deflate"]), st.binary(max_size=300))
def test_any_bytes(coding: str, body: bytes) -> None:
    """Any bytes are decompressed or refused; no other error is raised."""
    with contextlib.suppress(BrokenCoding, TooLarge):
        assert len(decode(coding, body, 100)) <= 100
