"""The attacks that a public port gets, each in a process of its own.

    python -m tests.faults.attacks half_open_heads PORT [--option connections=3000]

A process of its own, because an attacker that shares a test's interpreter is slowed down by the
test, and slows the test down. An attack goes on until its process is killed.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Callable, Sequence

from tests.faults.attack_target import Target, raise_descriptor_limit
from tests.faults.companion import Companion
from tests.faults.hostile_bodies import bad_json, chunk_extensions, posts_to_nowhere, tiny_chunks
from tests.faults.hostile_connections import (
    bad_requests,
    half_open_heads,
    large_heads,
    pipelining,
    reconnecting,
    unfinished_bodies,
)
from tests.faults.hostile_tasks import (
    slow_readers,
    task_flood,
    task_list,
    tasks_without_pause,
    unread_pipelines,
)

__all__ = ["ATTACKS", "Attack"]

ATTACKS: dict[str, Callable[[Target], None]] = {
    attack.__name__: attack
    for attack in (
        pipelining,
        half_open_heads,
        unfinished_bodies,
        large_heads,
        reconnecting,
        bad_requests,
        tiny_chunks,
        chunk_extensions,
        bad_json,
        posts_to_nowhere,
        slow_readers,
        unread_pipelines,
        task_flood,
        task_list,
        tasks_without_pause,
    )
}
"""Every attack by its name; its docstring says what it does, and its options."""


class Attack(Companion):
    """A context manager: one attack, in full effect from when it is entered until it is left.

    Args:
        name: a key of ``ATTACKS``.
        port: of the server.
        host: where the server listens.
        headers: what each request says in addition.
        **options: what the attack's docstring names.
    """

    def __init__(
        self,
        name: str,
        port: int,
        *,
        host: str = "127.0.0.1",
        headers: Sequence[tuple[str, str]] = (),
        **options: object,
    ) -> None:
        arguments = [name, str(port), "--host", host]
        for header in headers:
            arguments += ["--header", ": ".join(header)]
        for key, value in options.items():
            arguments += ["--option", f"{key}={value}"]
        super().__init__("tests.faults.attacks", arguments)

    def _wait_until_ready(self) -> None:
        line = self._hear()
        assert line == "begun\n", f"{self._command}: {line or 'ended'}"


def main() -> None:
    """Attack until standard input ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("name", choices=ATTACKS)
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--option", action="append", default=[])
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


if __name__ == "__main__":
    main()
