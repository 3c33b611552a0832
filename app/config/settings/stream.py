"""The settings of streams."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from gateway_shim.streams.opening.pending_connects import (
    DEFAULT_PENDING_CONNECTS,
    MAX_PENDING_CONNECTS,
)

__all__ = ["StreamSettings"]


class StreamSettings(BaseSettings):
    """The part of :class:`app.config.Settings` for the streams of this process."""

    sse_dialect: Literal["named", "envelope"] = Field(
        "named",
        description="The form of events on the wire. `named`: an `event:` line with the name."
        " `envelope`: unnamed events, whose data is a JSON object with the name.",
    )
    heartbeat_interval_seconds: int = Field(
        15,
        ge=1,
        description="The interval at which every stream gets a comment, so that clients and"
        " proxies see that it is alive.",
    )
    sse_max_connections: int | None = Field(
        None,
        ge=1,
        description="The maximum number of streams at a time, of all workers together. Unset: as"
        " many as the limit on file descriptors allows in each worker. Further streams are refused"
        " with 503.",
    )
    sse_max_connections_per_address: int = Field(
        1000,
        ge=1,
        description="The maximum number of streams at a time from one client address, in each"
        " worker; an IPv6 client is counted by its /64 network. Loopback is not counted.",
    )
    sse_max_pending_connects: int = Field(
        DEFAULT_PENDING_CONNECTS,
        ge=1,
        le=MAX_PENDING_CONNECTS,
        description="The maximum number of connects at a time that wait for SSE_AUTHORIZE and for"
        " connect observers. A quarter of them may come from one client address. Further connects"
        " are refused with 503.",
    )
    sse_max_buffer_bytes: int = Field(
        1024 * 1024,
        ge=1024,
        description="The maximum number of bytes that wait for one slow client, without the events"
        " that are in the log (see SSE_REPLAY). Beyond this limit, the client's stream ends.",
    )
    sse_max_total_buffer_bytes: int = Field(
        256 * 1024 * 1024,
        ge=1024 * 1024,
        description="The maximum number of bytes that wait for all clients together, without the"
        " events that are in the log. Beyond this limit, the streams with the most waiting bytes"
        " end.",
    )
    sse_client_timeout_seconds: float = Field(
        30.0,
        ge=4,
        le=86_400,  # a day; the kernel's own limit is not much higher
        description="The time after which the stream of a client that has lost its network ends.",
    )
    sse_retry_ms: int = Field(
        3000,
        ge=100,  # a smaller value is probably meant in seconds; browsers would reconnect at once
        le=600_000,
        description="The time after which browsers reconnect when a stream has ended.",
    )
    sse_drain_retry_seconds: float = Field(
        10.0,
        gt=0,
        description="The maximum time over which the reconnects of all browsers after a shutdown"
        " are spread.",
    )
