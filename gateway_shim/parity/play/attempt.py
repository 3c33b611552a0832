"""A gateway that is started in an environment in which it may not run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway_shim.parity.play.client import Client
from gateway_shim.parity.play.launcher import READY_SECONDS, GatewayFailed

if TYPE_CHECKING:
    from gateway_shim.parity.play.launcher import GatewayProcess
    from gateway_shim.parity.play.stage import Stage

__all__ = ["attempt"]

_TARGETS = ("/stream", "/readyz")


def attempt(
    stage: Stage, environment: Mapping[str, str]
) -> tuple[int | None, Mapping[str, int | None]]:
    """Start a gateway, make two requests if it runs, and stop it.

    Args:
        stage: where.
        environment: what is different from the stage's own gateway.

    Returns:
        The exit status, None if it ran, and the status of each answer by its target.

    Raises:
        GatewayFailed: it neither runs nor ends.
        OSError: it does not answer.
        NotHttp: what it answers is no HTTP.
    """
    if stage.gateway is None:
        return None, {}
    process = stage.gateway.sibling(environment)
    stage.processes.append(process)
    try:
        process.start()
        status = _settled(process)
        return status, {} if status is not None else _asked(process)
    finally:
        stage.processes.remove(process)
        process.stop()


def _settled(process: GatewayProcess) -> int | None:
    try:
        process.wait_ready(READY_SECONDS)
    except GatewayFailed:
        if process.exit_status is None:
            raise
        return process.exit_status
    return None


def _asked(process: GatewayProcess) -> Mapping[str, int | None]:
    client = Client(process.host, process.port)
    try:
        heads = {target: client.exchange("GET", target, (), b"").head for target in _TARGETS}
    finally:
        client.close_all()
    return {target: None if head is None else head.status for target, head in heads.items()}
