"""A backend with a front before it, and the faults of both."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from gateway_shim.parity.ports import free_port
from tests.browser.clients.front import Front
from tests.browser.packages_folder import installed_packages
from tests.faults.nothing_missed import worker_faults
from tests.support.processes.server import Server

__all__ = ["Site"]

PAGES = Path(__file__).resolve().parent / "pages"


class Site:
    """A context manager that runs the backend and the front of the clients' pages.

    Args:
        state: the folder for the state of the backend, which survives a restart.

    Attributes:
        server: the backend. A restart replaces it.
        front: the front.
    """

    def __init__(self, state: Path) -> None:
        self._env = {
            "FLASK_ENV": "testing",
            "SSE_DRAIN_RETRY_SECONDS": "0.1",
            "SSE_RETRY_MS": "100",
            "SSE_STATE_DIR": str(state),
        }
        port = free_port()
        self.server: Server = worker_faults.serving(port, self._env)
        self.front = Front(PAGES, installed_packages(), port)

    def __enter__(self) -> Self:
        """Start the backend and the front."""
        self.server.__enter__()
        self.front.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the front and the backend."""
        self.front.__exit__(kind, error, trace)
        self.server.__exit__(kind, error, trace)

    def stop(self) -> None:
        """Stop the backend as a deployment does."""
        worker_faults.terminate(self.server)

    def start(self) -> None:
        """Start the next backend after a stop, on the same port and with the same state."""
        self.server.__exit__(None, None, None)
        self.server = worker_faults.serving(self.server.port, self._env)
        self.server.__enter__()
