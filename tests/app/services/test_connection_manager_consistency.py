"""The maps of the connection manager agree, whatever happens at the same time."""

from __future__ import annotations

import json
import random

import gevent
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.services.connection_manager import ConnectionManager
from app.services.metrics_service import NullMetrics
from tests.app.services.conftest import (
    URL,
    RecordingMetrics,
    RecordingTransport,
    assert_consistent,
    maps,
    send,
)


class ConnectionHistory(RuleBasedStateMachine):
    """Any sequence of connects, disconnects and sends, compared with a simple model."""

    ids = st.sampled_from("abcd")

    @initialize()
    def begin(self) -> None:
        """Start without streams."""
        self.transport = RecordingTransport()
        self.metrics = RecordingMetrics()
        self.manager = ConnectionManager(self.transport, self.metrics)
        self.model: dict[str, str] = {}
        self.tokens: list[str] = ["never"]

    @rule(request_id=ids)
    def connect(self, request_id: str) -> None:
        """Open a stream."""
        token = f"T{len(self.tokens)}"
        self.tokens.append(token)
        closed = [self.model[request_id]] if request_id in self.model else []
        self.transport.closed.clear()
        self.manager.on_connect(request_id, token, URL)
        assert self.transport.closed == closed
        self.model[request_id] = token

    @rule(data=st.data())
    def connect_again(self, data: st.DataObject) -> None:
        """Connect a token that was used before, for any request id."""
        token = data.draw(st.sampled_from(self.tokens))
        request_id = data.draw(self.ids)
        self.manager.on_connect(request_id, token, URL)
        self.model = {who: other for who, other in self.model.items() if other != token}
        self.model[request_id] = token

    @rule(data=st.data())
    def disconnect(self, data: st.DataObject) -> None:
        """Report the end of a stream: of an open one, an ended one, or one that never existed."""
        token = data.draw(st.sampled_from(self.tokens))
        self.manager.on_disconnect(token)
        self.model = {who: other for who, other in self.model.items() if other != token}

    @rule(data=st.data())
    def lose_streams(self, data: st.DataObject) -> None:
        """Let the gateway lose streams, which it reports at the next broadcast."""
        lost = data.draw(st.sets(st.sampled_from(self.tokens)))
        self.transport.unknown = lost
        took = [who for who, token in self.model.items() if token not in lost]
        assert send(self.manager, None) is bool(took)
        self.transport.unknown = set()
        self.model = {who: self.model[who] for who in took}

    @rule(request_id=ids)
    def send(self, request_id: str) -> None:
        """Send an event to one stream."""
        assert send(self.manager, request_id) is (request_id in self.model)

    @invariant()
    def consistent(self) -> None:
        """Assert that both maps agree with each other and with the model."""
        assert_consistent(self.manager)
        connections, _ = maps(self.manager)
        assert {who: token for who, (token, _) in connections.items()} == self.model
        active = [call[1] for call in self.metrics.calls if call[0] == "active"]
        assert active[-1:] in ([], [len(self.model)])


TestConnectionHistory = ConnectionHistory.TestCase

TestConnectionHistory.settings = settings(max_examples=60, stateful_step_count=30)


def test_many_greenlets_at_once() -> None:
    """Both maps stay consistent while streams come, go and are sent to at the same time."""
    chance = random.Random(7)
    transport = RecordingTransport()
    transport.meanwhile = lambda: gevent.sleep(0)
    manager = ConnectionManager(transport, NullMetrics())
    last: dict[str, str] = {}

    def observe(request_id: str) -> None:
        gevent.sleep(0)
        assert_consistent(manager)
        send(manager, request_id)

    manager.register_on_connect(observe)

    def browser(number: int) -> None:
        for attempt in range(20):
            request_id, token = f"r{chance.randrange(10)}", f"T{number}-{attempt}"
            last[request_id] = token
            manager.on_connect(request_id, token, URL)
            if chance.random() < 0.3:
                transport.unknown.add(token)
            send(manager, None)
            if chance.random() < 0.5:
                manager.on_disconnect(token)
            assert_consistent(manager)

    gevent.joinall([gevent.spawn(browser, number) for number in range(30)], raise_error=True)
    assert_consistent(manager)
    connections, tokens = maps(manager)
    assert {who: token for who, (token, _) in connections.items()}.items() <= last.items()
    for token in list(tokens):
        manager.on_disconnect(token)
    assert maps(manager) == ({}, {})
    assert json.loads(transport.broadcasts[0][1].data) == {}
