"""Helper processes: one command a line goes in as JSON, one answer a line comes out.

A process of its own, and one that gevent has not patched, so that what measures never shares an
interpreter with what is measured.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from app.bench.environment import child_environment, kill
from app.bench.errors import BenchFailed
from app.program.self_command import module_command

__all__ = ["Helper", "serve"]

_EXIT_SECONDS = 10.0


class Helper:
    """The bench's side: a context manager around one helper process.

    Args:
        module: what runs there, as ``python -m module``; it calls :func:`serve`.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            module_command(module),
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        """The helper itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process; at once if something failed."""
        self.close(at_once=kind is not None)

    def call(self, command: str, **arguments: Any) -> Any:
        """Run a command and wait for its answer.

        Raises:
            BenchFailed: it could not be done.
        """
        self.begin(command, **arguments)
        return self.finish()

    def begin(self, command: str, **arguments: Any) -> None:
        """Have a command begin; :meth:`finish` must follow.

        Raises:
            BenchFailed: the process is gone.
        """
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        line = json.dumps({"command": command, **arguments}) + "\n"
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except OSError as exc:
            raise self._died() from exc

    def finish(self) -> Any:
        """The answer to the command that was begun.

        Raises:
            BenchFailed: it could not be done.
        """
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        line = self._process.stdout.readline()
        if not line:
            raise self._died()
        answer = json.loads(line)
        if "error" in answer:
            raise BenchFailed(answer["error"])
        return answer["result"]

    def close(self, *, at_once: bool = False) -> None:
        """End the process: it ends by itself when nothing more can come."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # it has ended before it read all
                    pipe.close()
        kill(self._process, wait_seconds=0.0 if at_once else _EXIT_SECONDS)
        self._errors.close()

    def _died(self) -> BenchFailed:
        self._process.wait()
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
        return BenchFailed(f"{self._module} has ended: {''.join(last) or 'without a word'}")


def serve(commands: Mapping[str, Callable[..., Any]]) -> None:
    """Carry out commands from standard input until it ends. The helper process's side.

    Args:
        commands: by name; what one returns is sent back. An OSError or BenchFailed is an
            answer too.
    """
    for line in sys.stdin:
        arguments = json.loads(line)
        command = commands[arguments.pop("command")]
        answer: dict[str, Any]
        try:
            answer = {"result": command(**arguments)}
        except (BenchFailed, OSError) as exc:
            answer = {"error": str(exc)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
