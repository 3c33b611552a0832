"""Helper processes: they read one command per line as JSON, and write one answer per line.

A helper is a separate process, which gevent has not patched. So the code that measures never
shares an interpreter with the code that is measured.
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
    """A context manager that runs one helper process. This is the bench's side of the pipe.

    Args:
        module: the module that the process runs, as ``python -m`` does; it calls :func:`serve`.
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
        """Return the helper."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process: gracefully, or at once after an exception."""
        self.close(at_once=kind is not None)

    def call(self, command: str, **arguments: Any) -> Any:
        """Run a command and wait for its answer.

        Raises:
            BenchFailed: the command failed, or the process has ended.
        """
        self.begin(command, **arguments)
        return self.finish()

    def begin(self, command: str, **arguments: Any) -> None:
        """Start a command. Call :meth:`finish` next.

        Raises:
            BenchFailed: the process has ended.
        """
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        line = json.dumps({"command": command, **arguments}) + "\n"
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except OSError as exc:
            raise self._died() from exc

    def finish(self) -> Any:
        """Wait for the answer to the command that was started.

        Raises:
            BenchFailed: the command failed, or the process has ended.
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
        """End the process by closing its input, or at once."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # the process ended before it read all
                    pipe.close()
        kill(self._process, wait_seconds=0.0 if at_once else _EXIT_SECONDS)
        self._errors.close()

    def _died(self) -> BenchFailed:
        self._process.wait()
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
        return BenchFailed(f"{self._module} has ended: {''.join(last) or 'no output'}")


def serve(commands: Mapping[str, Callable[..., Any]]) -> None:
    """Run the commands from standard input until it ends. This is the helper process's side.

    Args:
        commands: the commands by name. The return value of a command is the answer; an OSError or
            BenchFailed is sent back as an error.
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
