"""Tests of a connection to Redis, and of what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
import trustme

from gateway_shim.errors import BusRefused, BusUnreachable
from gateway_shim.event_log.brokers.redis.client import RedisClient
from gateway_shim.event_log.brokers.redis.scripts import Script
from gateway_shim.event_log.brokers.redis.url import RedisURL
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.needs("redis")


@pytest.fixture(name="client")
def fixture_client(redis_server: RedisServer) -> Iterator[RedisClient]:
    """Return a connection to the Redis that tests share."""
    client = RedisClient(RedisURL.parse(redis_server.url), TIME_LIMIT)
    yield client
    client.close()


def test_answers(client: RedisClient, prefix: str) -> None:
    """Answers are bytes, numbers, None, and lists of them."""
    assert client.call("SET", prefix, b"\xff\x00") == b"OK"
    assert client.call("MGET", prefix, f"{prefix}-2") == [b"\xff\x00", None]
    assert client.call("STRLEN", prefix) == 2


def test_a_script_that_redis_does_not_know_yet(client: RedisClient, prefix: str) -> None:
    """The first run sends its text, the others its name."""
    script = Script(f"return {{KEYS[1], ARGV[1], '{prefix}'}}")
    expected = [b"key", b"1", prefix.encode()]
    assert client.run(script, ["key"], 1) == expected
    assert client.call("SCRIPT", "EXISTS", script.sha) == [1]
    assert client.run(script, ["key"], 1) == expected


def test_a_refusal(client: RedisClient, prefix: str) -> None:
    """A refusal says where, why, and what to do; the connection can go on."""
    client.call("SET", prefix, "1")
    with pytest.raises(BusRefused, match=r"Redis at unix:///.* refuses: WRONGTYPE .*another pref"):
        client.call("LPUSH", prefix, "1")
    assert client.call("GET", prefix) == b"1"


def test_another_database(redis_server: RedisServer, prefix: str) -> None:
    """The database of the URL is the one that is used."""
    client = RedisClient(RedisURL.parse(f"{redis_server.url}?db=3"), TIME_LIMIT)
    client.call("SET", prefix, "1")
    client.close()
    assert redis_server.do("EXISTS", prefix) == 0


def test_nobody_listens(tmp_path: Path) -> None:
    """Then nothing was sent."""
    client = RedisClient(RedisURL.parse(f"unix://{tmp_path}/nothing"), TIME_LIMIT)
    with pytest.raises(BusUnreachable, match=r"gives no answer: .*No such file") as caught:
        client.call("PING")
    assert not caught.value.was_sent


def test_an_answer_that_comes_too_late(redis_server: RedisServer) -> None:
    """The late answer is not taken for the one to the next command."""
    client = RedisClient(RedisURL.parse(redis_server.url), 1.0)
    with pytest.raises(BusUnreachable, match="gives no answer: Timeout") as caught:
        client.call("BLPOP", "nothing", 10)
    assert caught.value.was_sent
    client._seconds = TIME_LIMIT
    assert client.call("PING") == b"PONG"
    client.close()


def test_a_greenlet_that_is_killed_while_it_waits(client: RedisClient) -> None:
    """The answer that nobody waits for any more is not taken for the next one."""
    client.call("PING")
    waiting = gevent.spawn(client.call, "BLPOP", "nothing", 10)
    gevent.sleep(0.02)
    waiting.kill()
    assert client.call("PING") == b"PONG"


def test_nothing_is_repeated(redis_server: RedisServer) -> None:
    """A server that dies gets each command once: redis-py would repeat it."""
    with RedisServer() as server:
        client = RedisClient(RedisURL.parse(server.url), TIME_LIMIT)
        client.call("PING")
        server.kill()
        server.start()
        with pytest.raises(BusUnreachable):
            client.call("INCR", "n")
        assert client.call("GET", "n") is None
        client.close()


def test_tls(tmp_path: Path) -> None:
    """The certificate of the server is checked against the authority of the URL."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with RedisServer(with_port=True) as server:
        for name, file in (("key-file", "key"), ("cert-file", "cert"), ("ca-cert-file", "ca")):
            server.do("CONFIG", "SET", f"tls-{name}", str(tmp_path / f"{file}.pem"))
        server.do("CONFIG", "SET", "tls-auth-clients", "no")
        server.do("CONFIG", "SET", "port", 0)
        server.do("CONFIG", "SET", "tls-port", server.port)
        url = f"rediss://127.0.0.1:{server.port}?ssl_ca_certs={tmp_path}/"
        client = RedisClient(RedisURL.parse(f"{url}ca.pem"), TIME_LIMIT)
        assert client.call("PING") == b"PONG"
        client.close()
        client = RedisClient(RedisURL.parse(f"{url}other.pem"), TIME_LIMIT)
        with pytest.raises(BusUnreachable, match="certificate"):
            client.call("PING")


def test_sentinel(tmp_path: Path) -> None:
    """The Sentinels are asked at each connection; those that do not answer are passed over."""
    with RedisServer(with_port=True) as primary:
        file = tmp_path / "sentinel.conf"
        file.write_text(f"sentinel monitor main 127.0.0.1 {primary.port} 1\n")
        with RedisServer([], with_port=True, sentinel=file) as sentinel:
            addresses = f"127.0.0.1:1,127.0.0.1:{sentinel.port}"
            client = RedisClient(RedisURL.parse(f"redis+sentinel://{addresses}/main"), TIME_LIMIT)
            client.call("SET", "n", "1")
            assert primary.do("GET", "n") == "1"
            client.close()
            client = RedisClient(RedisURL.parse(f"redis+sentinel://{addresses}/none"), TIME_LIMIT)
            with pytest.raises(BusUnreachable, match="No master found for 'none'"):
                client.call("PING")
