"""The actions that end a gateway's process: signals, and the end of its terminal."""

from __future__ import annotations

import os
import signal
import socket
import time

from gateway_shim.parity.play.actions.process_starts import other_gateway
from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.play.launcher import READY_SECONDS, GatewayProcess
from gateway_shim.parity.steps import Interrupt

__all__ = ["interrupt", "terminate"]

_POLL_SECONDS = 0.002
_TERMINATE_SECONDS = 20.0


class _Terminal:
    """A terminal at which processes can be started, until :meth:`close`."""

    def __init__(self) -> None:
        self._master: int | None
        self._master, slave = os.openpty()
        self.path = os.ttyname(slave)
        os.close(slave)

    def close(self) -> None:
        """Close the terminal, as closing its window does; can be called twice."""
        if self._master is not None:
            os.close(self._master)
            self._master = None


def interrupt(context: PlayContext, step: Interrupt) -> None:
    """Run an :class:`Interrupt`: start a gateway and send it a signal.

    Raises:
        GatewayFailed: the gateway does not start, or is not ready in time.
    """
    if context.gateway is None:
        return
    number = signal.Signals[step.signal]
    terminal = _Terminal() if step.terminal else None
    try:
        with other_gateway(context, context.gateway, {}) as process:
            process.start("" if terminal is None else terminal.path)
            if step.since == "health":
                process.wait_ready()
            elif step.since == "port":
                _wait_for_port(process)
            time.sleep(step.after)
            if terminal is None:
                process.send_signal(number)
            else:
                terminal.close()
            context.values[step.name] = _end(process.wait(step.within), number)
    finally:
        if terminal is not None:
            terminal.close()


def terminate(context: PlayContext) -> None:
    """Run a :class:`Terminate`: send SIGTERM to the scenario's gateway and wait for its end."""
    if context.gateway is None:
        return
    started = time.monotonic()
    context.gateway.terminate()
    for connection in context.streams.values():
        connection.read_to_end(_TERMINATE_SECONDS)
    context.values["exit_code"] = context.gateway.wait(_TERMINATE_SECONDS)
    # The end comes at once, or after the ten seconds that Node takes. A busy machine changes
    # neither, because the time is rounded to whole tens of seconds.
    context.values["seconds"] = 10 * round((time.monotonic() - started) / 10)
    context.process_ended = True


def _end(status: int | None, number: signal.Signals) -> str:
    if status is None:
        return "still there"
    # A wrapper, such as a shell, exits with 128 + N if the signal N ended its child.
    return "ended" if status in (0, -number, 128 + number) else f"exit status {status}"


def _wait_for_port(process: GatewayProcess) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.exit_status is None:
        try:
            socket.create_connection((process.host, process.port), 1.0).close()
        except OSError:
            time.sleep(_POLL_SECONDS)
        else:
            return
    raise process.failed("nothing listens on the gateway's PORT")
