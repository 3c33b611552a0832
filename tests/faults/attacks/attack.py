"""The catalog of attacks, and the context manager that runs one of them in a process.

Each attack has a process of its own, because an attacker that shares the interpreter with a test
slows the test down and is slowed down itself. An attack goes on until its process is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.faults.attacks.bodies import bad_json, chunk_extensions, posts_to_nowhere, tiny_chunks
from tests.faults.attacks.connections import (
    bad_requests,
    half_open_heads,
    large_heads,
    pipelining,
    reconnecting,
    unfinished_bodies,
)
from tests.faults.attacks.target import Target
from tests.faults.attacks.tasks import (
    slow_readers,
    task_flood,
    task_list,
    tasks_without_pause,
    unread_pipelines,
)
from tests.support.processes.companion import Companion

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
"""Every attack by its name. The docstring of the function describes the attack and its options."""


class Attack(Companion):
    """A context manager that runs one attack.

    The attack is in full effect from the start of the block to its end.

    Args:
        name: a key of ``ATTACKS``.
        port: the port of the server.
        host: the address of the server.
        headers: additional header lines of each request.
        **options: the options that the docstring of the attack names.
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
        assert self.read_line() == "begun"
