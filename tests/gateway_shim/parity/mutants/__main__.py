"""The command ``python -m tests.gateway_shim.parity.mutants NAME [options of the shim]``."""

from __future__ import annotations

import sys
from typing import Any

import gateway_shim.server.worker
from tests.gateway_shim.parity.mutants import FUZZ_MUTANTS, MUTANTS


def main() -> None:
    """Run the shim with the fault that the first argument names."""
    fault = {**MUTANTS, **FUZZ_MUTANTS}[sys.argv.pop(1)]
    load = gateway_shim.server.worker.StreamWorker.load_wsgi

    def load_changed(self: Any) -> None:
        fault()
        load(self)

    gateway_shim.server.worker.StreamWorker.load_wsgi = load_changed  # type: ignore[method-assign]
    from gateway_shim.standalone.command import gateway_command

    gateway_command(prog_name="mutant")


if __name__ == "__main__":
    main()
