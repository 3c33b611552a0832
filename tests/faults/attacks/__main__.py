"""The command that attacks a server: ``python -m tests.faults.attacks NAME PORT``.

    python -m tests.faults.attacks half_open_heads PORT [--option connections=3000]

The attack goes on until standard input ends or the process is killed.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading

from tests.faults.attacks.attack import ATTACKS
from tests.faults.attacks.target import Target, raise_descriptor_limit


def main() -> None:
    """Attack until standard input ends."""
    parser = argparse.ArgumentParser(description="Attack a server until standard input ends.")
    parser.add_argument("name", choices=ATTACKS)
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--header", action="append", default=[], help="'Name: value'")
    parser.add_argument("--option", action="append", default=[], help="'name=value'")
    options = parser.parse_args()
    raise_descriptor_limit()

    def end_with_standard_input() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=end_with_standard_input, daemon=True).start()
    headers = [tuple(header.split(": ", 1)) for header in options.header]
    target = Target(
        options.host,
        options.port,
        [(name, value) for name, value in headers],
        dict(option.split("=", 1) for option in options.option),
    )
    ATTACKS[options.name](target)


main()
