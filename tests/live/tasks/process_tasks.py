"""Tasks that run programs, and tasks that try actions which the serving process forbids."""

from __future__ import annotations

import asyncio
import concurrent.futures
import multiprocessing
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE
from typing import Any

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle


class Answers(BaseModel):
    """The outcomes of a task, one for each attempt."""

    answers: list[Any]


def _run_and_note(note: str, status: int) -> str:
    """Return a shell command that writes a line to a file, prints, and ends with a status."""
    return f"echo ran >> {note}; echo out; echo err >&2; exit {status}"


def _stop() -> list[Any]:
    try:
        subprocess.run(["sleep", "600"], timeout=0.05)
    except subprocess.TimeoutExpired:
        stopped = True
    with subprocess.Popen(["sleep", "600"]) as killed:
        killed.kill()
    return [stopped, killed.returncode]


async def _asyncio_program(status: int) -> list[Any]:
    program = await asyncio.create_subprocess_exec(
        "sh", "-c", f"echo out; exit {status}", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await program.communicate()
    await asyncio.to_thread(time.sleep, 0.001)
    executor = asyncio.get_running_loop().run_in_executor
    done = await executor(None, lambda: subprocess.run(["sh", "-c", f"exit {status}"]))
    return [output.decode(), program.returncode, done.returncode]


class RunPrograms(BaseTask):
    """A task that runs commands in every way that Python has, on a native thread."""

    cpu_bound = True

    def execute(self, progress_handle: TaskProgressHandle, *, note: str, rounds: int) -> Answers:
        """Run the commands. Each round adds four lines to the file ``note``."""
        answers = []
        for number in range(rounds):
            status = number % 7
            script = _run_and_note(note, status)
            ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
            with subprocess.Popen(script, shell=True, stdout=PIPE, stderr=PIPE) as popen:
                popen.communicate()
            pipe = os.popen(f"({script}) 2>&1")
            text, closed = pipe.read(), pipe.close()
            pid = os.posix_spawn("/bin/sh", ["sh", "-c", f"({script}) >/dev/null 2>&1"], os.environ)
            waits = [closed or 0, os.waitpid(pid, 0)[1], os.system(f"exit {status}")]
            codes = [ran.returncode, popen.returncode, *map(os.waitstatus_to_exitcode, waits)]
            answers.append([ran.stdout + ran.stderr, text, *codes])
            progress_handle.send_progress_value(number / rounds)
        return Answers(answers=[*answers, _stop()])


class RunProgramsWithGevent(BaseTask):
    """A task that runs the same commands with gevent's subprocess, on the event loop."""

    def execute(self, progress_handle: TaskProgressHandle, *, rounds: int) -> Answers:
        """Run the commands."""
        answers = []
        for number in range(rounds):
            done = subprocess.run(["sh", "-c", f"exit {number % 7}"])
            answers.append(
                [done.returncode, isinstance(subprocess.Popen("true"), subprocess.Popen)]
            )
        return Answers(answers=[*answers, _stop()])


class RunAsyncio(BaseTask):
    """A task that uses asyncio with programs and threads, on a native thread."""

    cpu_bound = True

    def execute(self, progress_handle: TaskProgressHandle, *, rounds: int) -> Answers:
        """Run one program for each round, all at the same time."""

        async def all_of_them() -> list[list[Any]]:
            return await asyncio.gather(*(_asyncio_program(n % 7) for n in range(rounds)))

        return Answers(answers=asyncio.run(all_of_them()))


def _refusals(note: str) -> list[str]:
    """Return the error of each forbidden action. None of them may write to ``note``."""

    def mark() -> None:
        Path(note).write_text("it ran")

    async def marked() -> None:
        mark()

    def executor() -> None:
        with concurrent.futures.ProcessPoolExecutor(1) as pool:
            pool.submit(mark).result()

    tries: list[Callable[[], Any]] = [os.fork, os.forkpty, pty.fork, executor]
    tries += [lambda: os.spawnlp(os.P_WAIT, "true", "true")]
    for method in ("fork", "spawn", "forkserver"):
        context: Any = multiprocessing.get_context(method)
        tries += [context.Process(target=mark).start, lambda context=context: context.Pool(1)]
    errors = []
    for attempt in tries:
        try:
            attempt()
        except RuntimeError as exc:
            errors.append(str(exc))
        else:
            errors.append("it was not refused")
    return errors


class TryForbidden(BaseTask):
    """A task that tries to copy the serving process, on the event loop."""

    def execute(self, progress_handle: TaskProgressHandle, *, note: str) -> Answers:
        """Try to copy the process, and try to run asyncio."""
        errors = _refusals(note)

        async def mark() -> None:
            Path(note).write_text("it ran")

        loop = asyncio.new_event_loop()
        for attempt in (asyncio.run, loop.run_until_complete):
            try:
                attempt(mark())
            except RuntimeError as exc:
                errors.append(str(exc))
            else:
                errors.append("it was not refused")
        loop.close()
        return Answers(answers=errors)


class TryForbiddenOnThread(BaseTask):
    """The same task on a native thread."""

    cpu_bound = True

    def execute(self, progress_handle: TaskProgressHandle, *, note: str) -> Answers:
        """Try to copy the process."""
        return Answers(answers=_refusals(note))


class ListInherited(BaseTask):
    """A task that lists the descriptors which programs inherit if nothing is closed for them."""

    cpu_bound = True

    def execute(self, progress_handle: TaskProgressHandle, *, note: str) -> Answers:
        """Start a program in two ways, and return its descriptors."""
        script = (
            "import os; print([os.readlink(f'/proc/self/fd/{n}') for n in"
            " os.listdir('/proc/self/fd') if os.path.islink(f'/proc/self/fd/{n}')])"
        )
        argv = [sys.executable, "-S", "-c", script]
        done = subprocess.run(argv, close_fds=False, capture_output=True, text=True)
        os.system(f'{sys.executable} -S -c "{script}" > {note}')
        return Answers(answers=[done.stdout, Path(note).read_text()])
