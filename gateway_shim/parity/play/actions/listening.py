"""The action that finds out at which addresses a gateway listens."""

from __future__ import annotations

from gateway_shim.parity.play.client import Client
from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.play.message import NotHttp
from gateway_shim.parity.steps import ListensOn

__all__ = ["listens_on"]


def listens_on(context: PlayContext, step: ListensOn) -> None:
    """Run a :class:`ListensOn`: request ``/healthz`` at each address."""
    port = context.client.port
    context.values[step.name] = {address: _answers(address, port) for address in step.addresses}


def _answers(address: str, port: int) -> bool:
    client = Client(address, port)
    try:
        answer = client.exchange("GET", "/healthz", (), b"")
    except (OSError, NotHttp):
        return False
    finally:
        client.close_all()
    return answer.head is not None and answer.head.status == 200
