"""Tests of the URL of a Redis server."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.event_log.brokers.redis.url import RedisURL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://cache", RedisURL((("cache", 6379),))),
        (" redis://cache:7000/3 ", RedisURL((("cache", 7000),), db=3)),
        (
            "redis://sse:p%40ss%3A@cache:1",
            RedisURL((("cache", 1),), user="sse", password="p@ss:"),
        ),
        ("redis://:secret@cache", RedisURL((("cache", 6379),), password="secret")),
        ("redis://[::1]:7000/0", RedisURL((("::1", 7000),))),
        ("rediss://cache", RedisURL((("cache", 6379),), tls={})),
        ("unix:///run/redis.sock", RedisURL(path="/run/redis.sock")),
        (
            "unix://sse:secret@/run/a%20b?db=2",
            RedisURL(path="/run/a b", db=2, user="sse", password="secret"),
        ),
        (
            "redis+sentinel://sse:secret@one:1,two/main/4?sentinel_username=s&sentinel_password=p",
            RedisURL(
                (("one", 1), ("two", 26379)),
                service="main",
                db=4,
                user="sse",
                password="secret",
                sentinel_user="s",
                sentinel_password="p",
            ),
        ),
        ("rediss+sentinel://one/main", RedisURL((("one", 26379),), service="main", tls={})),
    ],
)
def test_urls(text: str, expected: RedisURL) -> None:
    """Each form is read; without a port it is that of Redis, or that of Sentinel."""
    assert RedisURL.parse(text) == expected


def test_files_for_tls(tmp_path: Path) -> None:
    """The files must be there when the server starts, not when it connects."""
    file = tmp_path / "ca.pem"
    text = f"rediss://cache?ssl_ca_certs={file}"
    with pytest.raises(InvalidConfiguration, match=r"ssl_ca_certs=.*cannot be read: No such file"):
        RedisURL.parse(text)
    file.touch()
    assert RedisURL.parse(text).tls == {"ssl_ca_certs": str(file)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "cache:6379",
        "http://:secret@cache",
        "redis://",
        "redis://:secret@",
        "redis://:sec/ret@cache",
        "redis://:sec#ret@cache",
        "redis://:x?secret=ret@cache",
        "redis://:secret@cache:port",
        "redis://:secret@cache:0",
        "redis://:secret@cache:65536",
        "redis://:secret@cache/main",
        "redis://:secret@cache/0/1",
        "redis://:secret@one,two",
        "redis://:secret@cache?timeout=1",
        "redis://:secret@cache?ssl_ca_certs=/x",
        "redis://:secret@cache?secret",
        "redis://:secret@[::1",
        "unix://:secret@",
        "unix://:secret@cache/path",
        "unix://:secret@/path?db=x",
        "redis+sentinel://:secret@one:1",
        "redis+sentinel://:secret@one:1/main/x",
        "redis+sentinel://:secret@one:1/main/0/1",
        "redis+sentinel://:secret@one:1,/main",
    ],
)
def test_urls_that_cannot_be_used(text: str) -> None:
    """The message says what would work, and never holds a password."""
    with pytest.raises(InvalidConfiguration, match="use redis://user:password@host") as caught:
        RedisURL.parse(text)
    message = str(caught.value)
    for part in ("secret", "sec/ret", "sec#ret", "ret@"):
        assert part not in message.replace("?secret", "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://sse:secret@cache", "redis://cache:6379/0"),
        ("rediss://:secret@[::1]/3", "rediss://[::1]:6379/3"),
        ("unix://:secret@/run/s?db=1", "unix:///run/s?db=1"),
        ("redis+sentinel://:secret@one,two:2/main", "redis+sentinel://one:26379,two:2/main/0"),
    ],
)
def test_a_url_in_messages(text: str, shown: str) -> None:
    """Neither the text nor the representation holds a password."""
    url = RedisURL.parse(text)
    assert str(url) == shown
    assert "secret" not in repr(url)
