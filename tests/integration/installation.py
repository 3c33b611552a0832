"""A backend and its gateway, in one process or in two processes."""

from __future__ import annotations

import contextlib
import shlex
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway_shim.protocol.event_stream import Dialect
from tests.integration.browser_stream import BrowserStream
from tests.support.backend_client import metric, start_task
from tests.support.http.client import request
from tests.support.http.message import Response
from tests.support.processes.server import GunicornServer, Server
from tests.support.timing import wait_until

__all__ = ["SECRET", "SHIM", "Installation", "in_process", "over_http"]

SHIM = f"{shlex.quote(sys.executable)} -m gateway_shim"
"""The command that runs this package's gateway."""

SECRET = "s3cret-ü+/ &"
"""The secret of the callbacks, which needs escapes in a URL."""

QUOTED_SECRET = "s3cret-%C3%BC%2B%2F%20%26"


@dataclass(frozen=True)
class Installation:
    """A running backend and its gateway.

    Args:
        backend: the server of the backend.
        gateway: the server of the gateway; the same server if the backend contains the gateway.
        dialect: the dialect of the gateway, if it is known.
    """

    backend: Server
    gateway: Server
    dialect: Dialect | None

    def connect(self, request_id: str | None = None, **options: Any) -> BrowserStream:
        """Open a stream. Its request id is a new one unless it is given."""
        name = str(uuid.uuid4()) if request_id is None else request_id
        return BrowserStream(self.gateway.port, name, self.dialect, **options)

    def start_task(self, task_type: str, **params: Any) -> str:
        """Start a task and return its id."""
        return start_task(self.backend, task_type, **params)

    def announce(self, request_id: str, version: str, **more: str) -> Any:
        """Queue a version for a request id, and return the JSON of the response."""
        body = {"request_id": request_id, "version": version, **more}
        answer = self.post_to_testing_api("deployments/version", body)
        assert answer.status == 202
        return answer.json()

    def post_to_testing_api(self, name: str, body: object) -> Response:
        """Post a document to the testing API."""
        return request(self.backend.port, "POST", f"/api/testing/{name}", json_body=body)

    def callback(self, action: str, token: str, request_id: str = "", **more: Any) -> Response:
        """Send a callback, as a gateway does."""
        request_of_stream = {"url": f"/api/sse/stream?request_id={request_id}", "headers": {}}
        body = {"action": action, "token": token, "request": request_of_stream, **more}
        path = f"/api/sse/callback?secret={QUOTED_SECRET}"
        return request(self.backend.port, "POST", path, json_body=body)

    @property
    def is_one_process(self) -> bool:
        """True if the backend contains the gateway."""
        return self.gateway is self.backend

    @property
    def active(self) -> int:
        """The number of streams that the backend knows."""
        return int(metric(self.backend, "sse_gateway_active_connections"))

    def wait_for_active(self, count: int) -> None:
        """Wait until the backend knows exactly ``count`` streams."""
        wait_until(
            lambda: self.active == count,
            lambda: f"{count} streams to be known; there are {self.active}",
        )


@contextlib.contextmanager
def in_process(dialect: Dialect, **env: str) -> Iterator[Installation]:
    """Start a backend that contains its gateway."""
    settings = {
        "FLASK_ENV": "testing",
        "SSE_CALLBACK_SECRET": SECRET,
        "SSE_DIALECT": dialect.value,
        "HEARTBEAT_INTERVAL_SECONDS": "1",
    }
    with GunicornServer(env={**settings, **env}) as server:
        yield Installation(server, server, dialect)


@contextlib.contextmanager
def over_http(
    command: str, dialect: Dialect | None, gateway_env: Mapping[str, str] | None = None, **env: str
) -> Iterator[Installation]:
    """Start a backend, and a gateway that a command starts and its environment configures."""
    settings = {"FLASK_ENV": "testing", "SSE_CALLBACK_SECRET": SECRET}
    gateway = Server(shlex.split(command))  # created first, because the backend needs its port
    backend = GunicornServer(env={**settings, "SSE_GATEWAY_URL": gateway.url, **env})
    callback_url = f"{backend.url}/api/sse/callback?secret={QUOTED_SECRET}"
    gateway.env |= {
        "CALLBACK_URL": callback_url,
        "HEARTBEAT_INTERVAL_SECONDS": "1",
        **(gateway_env or {}),
    }
    # The gateway is stopped first, because it reports the ends of its streams to the backend.
    with backend, gateway:
        yield Installation(backend, gateway, dialect)
