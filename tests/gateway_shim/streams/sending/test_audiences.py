"""The streams that an event is for."""

from __future__ import annotations

from typing import cast

from gateway_shim.streams.connection import Connection
from gateway_shim.streams.sending.audiences import Audiences


class FakeStream:
    """A stream with audiences."""

    def __init__(self, *audiences: str) -> None:
        self.audiences = audiences


class FakeConnection:
    """A connection, as far as audiences look at it."""

    def __init__(self, *audiences: str) -> None:
        self.stream = FakeStream(*audiences)


def connections(*audiences: tuple[str, ...]) -> list[Connection]:
    """Return one connection for each tuple of audiences."""
    return [cast(Connection, FakeConnection(*each)) for each in audiences]


def test_members() -> None:
    """An audience has the streams that have joined it, in their order, until they leave."""
    a, b, c = connections(("r:a", "u:x"), ("r:b", "u:x"), ())
    audiences = Audiences({})
    for connection in (a, b, c):
        audiences.join(connection)
        audiences.join(connection)
    assert audiences.members("r:a") == [a]
    assert audiences.members("u:x") == [a, b]
    assert audiences.members("u:y") == []
    audiences.leave(a)
    audiences.leave(a)
    assert audiences.members("r:a") == []
    assert audiences.members("u:x") == [b]
    audiences.leave(b)
    audiences.leave(c)
    assert audiences._members == {}


def test_a_newer_stream_of_the_same_request_id() -> None:
    """Both are members until the older one has ended; its end does not remove the newer one."""
    older, newer = connections(("r:a",), ("r:a",))
    audiences = Audiences({})
    audiences.join(older)
    audiences.join(newer)
    assert audiences.members("r:a") == [older, newer]
    audiences.leave(older)
    assert audiences.members("r:a") == [newer]
    audiences.leave(older)
    assert audiences.members("r:a") == [newer]


def test_a_list_of_members_does_not_change() -> None:
    """A delivery goes on with the streams that it has begun with."""
    a, b = connections(("u:x",), ("u:x",))
    audiences = Audiences({})
    audiences.join(a)
    audiences.join(b)
    members = audiences.members("u:x")
    audiences.leave(a)
    assert members == [a, b]


def test_everyone() -> None:
    """Everyone is looked up again after a stream has come or gone, and only then."""
    a, b = connections((), ())
    by_token = {"a": a}
    audiences = Audiences(by_token)
    known = audiences.members("*")
    assert known == [a]
    assert audiences.members("*") is known
    by_token["b"] = b
    audiences.forget()
    assert audiences.members("*") == [a, b]
    assert known == [a]


def test_tokens() -> None:
    """An equal tuple of tokens is looked up once; unknown tokens are listed."""
    (a,) = connections(())
    audiences = Audiences({"a": a})
    known = audiences.of_tokens(("a", "b"))
    assert (known.connections, known.unknown) == ([a], ["b"])
    assert audiences.of_tokens(("a", "b")) is known
    assert audiences.of_tokens(["a"]).connections == [a]
    audiences.forget()
    assert audiences.of_tokens(("a", "b")) is not known
