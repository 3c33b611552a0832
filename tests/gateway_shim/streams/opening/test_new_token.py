"""The tokens of streams are random UUIDs."""

from __future__ import annotations

import uuid

from gateway_shim.streams.opening.new_token import new_token


def test_tokens_are_uuids() -> None:
    """Each token is a UUID of version 4 in its usual form, and no two are equal."""
    tokens = [new_token() for _ in range(1000)]
    assert len(set(tokens)) == 1000
    for token in tokens:
        parsed = uuid.UUID(token)
        assert (str(parsed), parsed.version, parsed.variant) == (token, 4, uuid.RFC_4122)
    assert {token[19] for token in tokens} == set("89ab")
