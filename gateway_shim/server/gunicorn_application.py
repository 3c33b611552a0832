"""gunicorn, started from Python code instead of from its command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from gunicorn.app.base import BaseApplication

from gateway_shim.server.arbiter import StreamArbiter

__all__ = ["GunicornApplication"]


class GunicornApplication(BaseApplication):
    """A gunicorn that serves one application.

    Call :meth:`run` next. Your own program should call
    :func:`gateway_shim.event_loop.patching.patch_arbiter` before its other imports: the process
    that serves inherits what the program has imported.

    Args:
        load: makes the WSGI application; called in the worker's process.
        options: gunicorn's settings by name, see
            :func:`~gateway_shim.server.options.base_options`.
    """

    def __init__(self, load: Callable[[], Any], options: Mapping[str, Any]) -> None:
        self._load = load
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Apply the settings; called by gunicorn, also at a reload."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Make the application; called by gunicorn in the worker."""
        return self._load()

    def run(self) -> None:
        """Serve until a signal stops the server.

        Raises:
            SystemExit: always; its code is the exit status of the program.
        """
        try:
            StreamArbiter(self).run()
        except RuntimeError as exc:  # as gunicorn's own run does
            print(f"\nError: {exc}\n", file=sys.stderr)  # noqa: T201 - as gunicorn
            sys.exit(1)
