"""The settings of requests: connections, bodies, answers."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings

__all__ = ["RequestSettings"]


class RequestSettings(BaseSettings):
    """The part of :class:`app.config.Settings` for requests that are not streams."""

    max_request_connections: int = Field(
        2000,
        ge=10,
        le=65_536,
        description="The maximum number of connections at a time that are not streams, for each"
        " address that the server listens on. Beyond this limit, the connection that has waited"
        " longest for its client is closed.",
    )
    max_request_connections_per_address: int = Field(
        500,
        ge=1,
        description="The maximum number of connections at a time that are not streams, from one"
        " client address. Loopback and trusted proxies are not counted.",
    )
    max_requests_per_connection: int = Field(
        1000,
        ge=1,
        description="The maximum number of requests on one connection. The server then closes the"
        " connection.",
    )
    max_body_bytes: int = Field(
        1024 * 1024,
        ge=1024,
        le=1024**3,
        description="The maximum size of a request body. A larger body is answered with 413.",
    )
    max_json_bytes: int = Field(
        102_400,
        ge=1024,
        le=16 * 1024 * 1024,  # a body is parsed in one step, which blocks the event loop
        description="The maximum size of a request body for the backend's own routes, which take"
        " JSON. A larger body is answered with 413.",
    )
    max_bodies_bytes: int = Field(
        32 * 1024 * 1024,
        ge=1024 * 1024,
        description="The maximum memory for all request bodies together. 16 KiB of each body are"
        " not counted. Beyond this limit, a body is refused with 503.",
    )
    answer_seconds: float = Field(
        30.0,
        ge=1,
        le=3600,
        description="The maximum time that an answer may wait for a slow client, plus one second"
        " for each 10,000 bytes of the answer. After that the connection is closed.",
    )
    max_answers_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1024 * 1024,
        description="The maximum memory for all answers that wait for their clients. 16 KiB of"
        " each answer are not counted. Beyond this limit, the connection of such a client is"
        " closed.",
    )
    max_answers_waiting: int = Field(
        64,
        ge=4,
        le=1000,
        description="The maximum number of requests for task lists, large results and metrics"
        " that wait for their turn, because one such answer is made at a time. A quarter of them"
        " may come from one client address. Further requests are refused with 503.",
    )
    max_error_details: int = Field(
        10,
        ge=1,
        le=100,
        description="The maximum number of faults that the answer to a bad request describes. The"
        " others are counted.",
    )
