"""The backend and its gateway, started together in each of the ways there are."""

from __future__ import annotations

import contextlib
import shlex
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway_shim.protocol.event_stream import Dialect
from tests.integration.browser import Browser
from tests.support.backend_client import metric, start_task
from tests.support.http.client import request
from tests.support.http.message import Response
from tests.support.processes.server import GunicornServer, Server
from tests.support.timing import wait_until

__all__ = ["SECRET", "SHIM", "Installation", "in_process", "over_http"]

SHIM = f"{shlex.quote(sys.executable)} -m gateway_shim"
"""The command that runs this package's own gateway on a port."""

SECRET = "s3cret-ü+/ &"
"""What the callbacks carry; it needs escaping in a URL."""

QUOTED_SECRET = "s3cret-%C3%BC%2B%2F%20%26"


@dataclass(frozen=True)
class Installation:
    """A backend that runs, and where its browsers connect.

    Args:
        backend: the backend's server.
        gateway: the gateway's; the backend's own in the monolith.
        dialect: what the gateway speaks, if that is known.
    """

    backend: Server
    gateway: Server
    dialect: Dialect | None

    def connect(self, request_id: str | None = None, **options: Any) -> Browser:
        """Open a stream, under a request id of its own unless one is given."""
        name = str(uuid.uuid4()) if request_id is None else request_id
        return Browser(self.gateway.port, name, self.dialect, **options)

    def start_task(self, task_type: str, **params: Any) -> str:
        """Start a task and return its id."""
        return start_task(self.backend, task_type, **params)

    def announce(self, request_id: str, version: str, **more: str) -> Any:
        """Queue a version for a request id, and return what the answer says."""
        body = {"request_id": request_id, "version": version, **more}
        answer = self.ask_testing("deployments/version", body)
        assert answer.status == 202
        return answer.json()

    def ask_testing(self, name: str, body: object) -> Response:
        """Post to the testing API."""
        return request(self.backend.port, "POST", f"/api/testing/{name}", json_body=body)

    def callback(self, action: str, token: str, request_id: str = "", **more: Any) -> Response:
        """Call back as a gateway does."""
        request_of_stream = {"url": f"/api/sse/stream?request_id={request_id}", "headers": {}}
        body = {"action": action, "token": token, "request": request_of_stream, **more}
        path = f"/api/sse/callback?secret={QUOTED_SECRET}"
        return request(self.backend.port, "POST", path, json_body=body)

    @property
    def is_monolith(self) -> bool:
        """Whether the gateway is the backend's own, in its process."""
        return self.gateway is self.backend

    @property
    def active(self) -> int:
        """How many streams the backend knows."""
        return int(metric(self.backend, "sse_gateway_active_connections"))

    def wait_for_active(self, count: int) -> None:
        """Wait until the backend knows so many streams."""
        wait_until(
            lambda: self.active == count,
            lambda: f"{count} streams to be known; there are {self.active}",
        )


@contextlib.contextmanager
def in_process(dialect: Dialect, **env: str) -> Iterator[Installation]:
    """The monolith under gunicorn."""
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
    """The backend, and a gateway that is started by a command and told all by its environment."""
    settings = {"FLASK_ENV": "testing", "SSE_CALLBACK_SECRET": SECRET}
    gateway = Server(shlex.split(command))  # made now, for its port
    backend = GunicornServer(env={**settings, "SSE_GATEWAY_URL": gateway.url, **env})
    callback_url = f"{backend.url}/api/sse/callback?secret={QUOTED_SECRET}"
    gateway.env |= {
        "CALLBACK_URL": callback_url,
        "HEARTBEAT_INTERVAL_SECONDS": "1",
        **(gateway_env or {}),
    }
    # The gateway is stopped first: a backend that is gone could not be told of the ends.
    with backend, gateway:
        yield Installation(backend, gateway, dialect)
