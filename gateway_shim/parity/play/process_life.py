"""Steps about a gateway's process, done: signals at instants of its start, and its addresses."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import TYPE_CHECKING

from gateway_shim.parity.play.client import Client
from gateway_shim.parity.play.launcher import READY_SECONDS, GatewayProcess
from gateway_shim.parity.play.message import NotHttp
from gateway_shim.parity.process_steps import Interrupt, ListensOn

if TYPE_CHECKING:
    from gateway_shim.parity.play.stage import Stage

__all__ = ["interrupt", "listens_on"]

_POLL_SECONDS = 0.002


class _Terminal:
    """A terminal that processes can be started at, until :meth:`close`."""

    def __init__(self) -> None:
        self._master: int | None
        self._master, slave = os.openpty()
        self.path = os.ttyname(slave)
        os.close(slave)

    def close(self) -> None:
        """Close it, as the window that it is in does; safe to call twice."""
        if self._master is not None:
            os.close(self._master)
            self._master = None


def interrupt(stage: Stage, step: Interrupt) -> None:
    """Do an :class:`Interrupt` on a stage.

    Raises:
        GatewayFailed: the gateway does not start, or is not ready in time.
    """
    if stage.gateway is None:
        return
    process = stage.gateway.sibling({})
    stage.processes.append(process)
    number = signal.Signals[step.signal]
    terminal = _Terminal() if step.terminal else None
    try:
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
        stage.values[step.name] = _end(process.wait(step.within), number)
    finally:
        if terminal is not None:
            terminal.close()
        stage.processes.remove(process)
        process.stop()


def listens_on(stage: Stage, step: ListensOn) -> None:
    """Do a :class:`ListensOn` on a stage."""
    port = stage.client.port
    stage.values[step.name] = {address: _answers(address, port) for address in step.addresses}


def _end(status: int | None, number: signal.Signals) -> str:
    if status is None:
        return "still there"
    # A wrapper, such as a shell, says 128 + N of a child that the signal N ended.
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
    raise process.failed("nobody listens on the gateway's PORT")


def _answers(address: str, port: int) -> bool:
    client = Client(address, port)
    try:
        answer = client.exchange("GET", "/healthz", (), b"")
    except (OSError, NotHttp):
        return False
    finally:
        client.close_all()
    return answer.head is not None and answer.head.status == 200
