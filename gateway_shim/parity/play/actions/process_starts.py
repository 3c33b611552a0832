"""The actions that start another gateway, in an environment in which it may refuse to run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from gateway_shim.parity.play.client import Client
from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.play.launcher import READY_SECONDS, GatewayFailed, GatewayProcess
from gateway_shim.parity.steps import AwaitExit, TryStart

__all__ = ["await_exit", "other_gateway", "try_start"]

_TARGETS = ("/stream", "/readyz")
_EXIT_SECONDS = 10.0


@contextlib.contextmanager
def other_gateway(
    context: PlayContext, gateway: GatewayProcess, environment: Mapping[str, str]
) -> Iterator[GatewayProcess]:
    """Provide a gateway like the given one, not started yet; stop it after the ``with`` block.

    Args:
        context: the scenario's context; meanwhile its list of processes has the other gateway,
            so that an aborted run kills it, too.
        gateway: the gateway whose command and environment the other one has.
        environment: the variables that are different.
    """
    process = gateway.sibling(environment)
    context.processes.append(process)
    try:
        yield process
    finally:
        context.processes.remove(process)
        process.stop()


def try_start(context: PlayContext, step: TryStart) -> None:
    """Run a :class:`TryStart`: start a gateway, make two requests if it runs, and stop it.

    Raises:
        GatewayFailed: the gateway neither becomes ready nor ends.
        OSError: the gateway does not answer.
        NotHttp: the gateway's answer is not HTTP.
    """
    status: int | None = None
    answers: Mapping[str, int | None] = {}
    if context.gateway is not None:
        with other_gateway(context, context.gateway, step.environment) as process:
            process.start()
            status = _exit_status_or_ready(process)
            if status is None:
                answers = _answers(process)
    context.values[f"exit:{step.name}"] = status
    context.values[f"answers:{step.name}"] = answers


def await_exit(context: PlayContext, step: AwaitExit) -> None:
    """Run an :class:`AwaitExit`: start a gateway and wait for its exit.

    Raises:
        GatewayFailed: the gateway's command does not start.
    """
    if context.gateway is None:
        return
    with other_gateway(context, context.gateway, step.environment) as process:
        process.start()
        context.values[f"exit:{step.name}"] = process.wait(_EXIT_SECONDS)
        context.values[f"logged:{step.name}"] = process.last_output() != ""


def _exit_status_or_ready(process: GatewayProcess) -> int | None:
    """Wait until a gateway is ready (None) or has ended (its exit status)."""
    try:
        process.wait_ready(READY_SECONDS)
    except GatewayFailed:
        if process.exit_status is None:
            raise
        return process.exit_status
    return None


def _answers(process: GatewayProcess) -> Mapping[str, int | None]:
    """Return the status of the answer for each of the two targets."""
    client = Client(process.host, process.port)
    try:
        heads = {target: client.exchange("GET", target, (), b"").head for target in _TARGETS}
    finally:
        client.close_all()
    return {target: None if head is None else head.status for target, head in heads.items()}
