"""Tests of the rights that a server needs in Redis."""

from __future__ import annotations

import pytest

from gateway_shim.errors import BusRefused, LogUnavailable
from gateway_shim.event_log import brokers
from gateway_shim.event_log.audience import EVERYONE
from tests.gateway_shim.event_log.brokers.sites import Sites, numbers, publish
from tests.support.processes.redis_server import RedisServer

pytestmark = pytest.mark.needs("redis")


def test_a_wrong_password(redis_server: RedisServer, sites: Sites) -> None:
    """The server opens, is not ready, and says why without the password."""
    with RedisServer(with_port=True) as server:
        server.do("CONFIG", "SET", "requirepass", "right")
        url = f"redis://:wr%40ng@127.0.0.1:{server.port}"
        log = sites.open("here", url, current=False)
        with pytest.raises(
            LogUnavailable, match="correct the user name and the password"
        ) as caught:
            log.append(EVERYONE, b"data: 1\n\n")
        assert "wr@ng" not in str(caught.value)
        assert "wr%40ng" not in str(caught.value)
        assert not log.read_state().is_ready
        other = sites.open("there", f"redis://:right@127.0.0.1:{server.port}")
        assert publish(other, 1, 1) == [1]


def test_the_rights_of_an_acl_user(redis_server: RedisServer, sites: Sites, prefix: str) -> None:
    """The rights that the documentation lists suffice; without one the message says what to do."""
    text = " ".join((brokers.__doc__ or "").split())
    commands = text.partition("the commands ``")[2].partition("``")[0].split()
    assert "evalsha" in commands
    rights = [f"+{command}" for command in commands]
    with RedisServer(with_port=True) as server:
        address = f"127.0.0.1:{server.port}"
        keys = f"~{{{prefix}}}:*"
        server.do("ACL", "SETUSER", "sse", "on", ">secret", keys, *rights)
        log = sites.open("here", f"redis://sse:secret@{address}")
        log.append(EVERYONE, b"data: 1\n\n")
        log.parcels.take(log.parcels.put(b"1"))
        server.do("ACL", "SETUSER", "sse", "-xadd")
        with pytest.raises(LogUnavailable, match="give the ACL user the rights"):
            log.append(EVERYONE, b"data: 2\n\n")
        server.do("ACL", "SETUSER", "sse", "+xadd")
        assert publish(log, 3, 1) == [3]
        assert numbers(log) == [1, 3]


def test_keys_of_another_program(redis_server: RedisServer, sites: Sites, prefix: str) -> None:
    """A prefix that somebody else uses is refused."""
    redis_server.do("SET", f"{{{prefix}}}:meta", "theirs")
    log = sites.open("here", redis_server.url, current=False)
    with pytest.raises(LogUnavailable, match="choose another prefix") as caught:
        log.append(EVERYONE, b"data: 1\n\n")
    assert isinstance(caught.value, LogUnavailable)
    assert not isinstance(caught.value, BusRefused)
