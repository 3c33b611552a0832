"""The streams that an event is for: the streams of tokens, or the members of an audience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.streams.connection import Connection

__all__ = ["Audiences", "TokenAudience"]


@dataclass(frozen=True, slots=True)
class TokenAudience:
    """The streams of a broadcast to tokens.

    Args:
        tokens: the tokens, as they were given.
        connections: the connections of the streams that have these tokens, in the same order.
        unknown: the tokens that no stream has.
        others: all other streams; None if these are more than half of all.
    """

    tokens: Sequence[str]
    connections: list[Connection]
    unknown: list[str]
    others: list[Connection] | None


class Audiences:
    """Looks up the streams that an event is for.

    After the kernel, the look-ups cost most (docs/benchmarks.md). So a result that holds all
    streams is kept until a stream comes or goes.

    Args:
        by_token: the connections of streams that are connecting or open.
    """

    def __init__(self, by_token: Mapping[str, Connection]) -> None:
        self._by_token = by_token
        # The streams of the last broadcast to tokens, and all streams, until one comes or goes.
        self._last: TokenAudience | None = None
        self._everyone: list[Connection] | None = None
        # The members of each audience but EVERYONE: one connection, or an ordered set of them. A
        # request id has one stream, and a set would cost it 200 bytes.
        self._members: dict[str, Connection | dict[Connection, None]] = {}

    def forget(self) -> None:
        """Look all streams up again: one has come or gone."""
        self._last = self._everyone = None

    def of_tokens(self, tokens: Sequence[str]) -> TokenAudience:
        """Return the streams of a broadcast to tokens.

        The result is used again for an equal tuple of tokens. A caller that passes the same tuple
        again pays for a comparison of references. A list is always looked up.
        """
        last = self._last
        if last is not None and last.tokens == tokens:
            return last
        found = [(token, self._by_token.get(token)) for token in tokens]
        connections = [connection for _, connection in found if connection is not None]
        audience = TokenAudience(
            tokens,
            connections,
            [token for token, connection in found if connection is None],
            self._others(connections),
        )
        if isinstance(tokens, tuple):  # a tuple cannot change
            self._last = audience
        return audience

    def _others(self, connections: list[Connection]) -> list[Connection] | None:
        if len(connections) * 2 < len(self._by_token):
            return None
        known = set(connections)
        return [item for item in self._by_token.values() if item not in known]

    def members(self, audience: str | None) -> list[Connection]:
        """Return the streams that an audience has now; None has none. Do not change the list."""
        if audience == EVERYONE:
            if self._everyone is None:
                self._everyone = list(self._by_token.values())
            return self._everyone
        found = None if audience is None else self._members.get(audience)
        if found is None:
            return []
        return list(found) if isinstance(found, dict) else [found]

    def join(self, connection: Connection) -> None:
        """Make a stream a member of its audiences."""
        for audience in connection.stream.audiences:
            found = self._members.setdefault(audience, connection)
            if isinstance(found, dict):
                found[connection] = None
            elif found is not connection:
                self._members[audience] = {found: None, connection: None}

    def leave(self, connection: Connection) -> None:
        """Remove a stream from its audiences. A second call does nothing."""
        for audience in connection.stream.audiences:
            found = self._members.get(audience)
            if found is connection:
                del self._members[audience]
            elif isinstance(found, dict):
                found.pop(connection, None)
                if not found:
                    del self._members[audience]
