"""A gateway in a separate process, as a server that the bench measures."""

from __future__ import annotations

import shlex

from app.bench.measured.server import NO_LIMIT, MeasuredServer
from app.program.self_command import self_command

__all__ = ["measured_gateway"]


def measured_gateway(command: str | None, port: int, callback_url: str) -> MeasuredServer:
    """Make a gateway that runs in a separate process.

    Args:
        command: the command that starts the gateway; ``{port}`` and ``{callback_url}`` in it are
            replaced, and PORT and CALLBACK_URL are in its environment. None starts the shim.
        port: the port that the gateway will listen on.
        callback_url: the callback URL of the backend.
    """
    if command is None:
        parts = [*self_command(), "gateway"]
    else:
        values = {"{port}": str(port), "{callback_url}": callback_url}
        parts = shlex.split(command)
        for name, value in values.items():
            parts = [part.replace(name, value) for part in parts]
    settings = {"CALLBACK_URL": callback_url, "HEARTBEAT_INTERVAL_SECONDS": NO_LIMIT}
    return MeasuredServer(parts, port, settings)
