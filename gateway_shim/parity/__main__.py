"""The command ``python -m gateway_shim.parity``."""

from __future__ import annotations

from gateway_shim.log_lines.output import guarded_output
from gateway_shim.parity.cli import main

if __name__ == "__main__":
    with guarded_output():
        main()
