"""Sessions: the answer to each callback, and waiting for callbacks."""

from __future__ import annotations

import threading

from gateway_shim.parity.play.session import Callback, Session
from gateway_shim.parity.reply import Fate, Reply
from tests.support.timing import TIME_LIMIT

_CONNECT = Callback("POST", "/", None, {"action": "connect", "token": "t1"})
_DISCONNECT = Callback("POST", "/", None, {"action": "disconnect", "token": "t1"})
_BARE = Callback("GET", "/other", None, "")


def test_disconnects_have_a_separate_answer() -> None:
    """The answer to disconnect callbacks does not change that to connect callbacks."""
    session = Session(send=lambda body: body)
    session.on_disconnect = Reply(500, sends=({"token": "$T"},))
    connect = session.take(_CONNECT)
    disconnect = session.take(_DISCONNECT)
    assert (connect.status, disconnect.status, session.during) == (200, 500, [{"token": "t1"}])


def test_waiting_for_callbacks_ends_with_the_time() -> None:
    """A wait that is over returns False."""
    assert Session(send=lambda body: None).wait_for(lambda seen: bool(seen), 0.01) is False


def test_the_rest_of_a_chain_goes_to_the_next_callbacks() -> None:
    """The answers of a chain go to the next requests, whatever their method and token."""
    session = Session(send=lambda body: None)
    redirect, refusal = Reply(307, times=2), Reply(403)
    session.expect(Reply(301, then=(redirect, refusal)))
    callbacks = (_CONNECT, _BARE, _CONNECT, _BARE, _CONNECT, _DISCONNECT)
    assert [session.take(c).status for c in callbacks] == [301, 307, 307, 403, 200, 200]


def test_an_expectation_replaces_an_earlier_chain() -> None:
    """A new expectation removes the rest of an earlier chain."""
    session = Session(send=lambda body: None)
    session.expect(Reply(301, then=(Reply(500),)))
    session.take(_CONNECT)
    session.expect(Reply(202))
    assert session.take(_CONNECT).status == 202


def test_held_callbacks_are_counted() -> None:
    """The session counts the callbacks that are held at the same time."""
    session = Session(send=lambda body: None)
    session.on_disconnect = Reply(fate=Fate.HOLD)
    threads = [threading.Thread(target=session.take, args=(_DISCONNECT,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert session.wait_held(3, TIME_LIMIT)
    assert (session.most_held, session.wait_held(4, 0.01)) == (3, False)
    session.release()
    for thread in threads:
        thread.join(TIME_LIMIT)
    assert not session.wait_held(1, 0.01)


def test_nothing_is_scripted_after_the_end() -> None:
    """A callback that arrives after the end gets 200 and is not recorded."""
    session = Session(send=lambda body: None)
    session.on_disconnect = Reply(303, then=(Reply(200),))
    session.end()
    assert session.take(_DISCONNECT).status == 200
    assert (session.callbacks, session.answered_disconnects) == ([], 0)
