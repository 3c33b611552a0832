"""Calls that would stop the event loop or copy the process."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import posix
import pty
import subprocess
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import gevent
import gevent.os
import pytest

from gateway_shim.errors import NotAllowedHere
from tests.support.native_threads import run_native


@pytest.mark.parametrize(
    "fork",
    [
        *(os.fork, os.forkpty, pty.fork, gevent.fork, posix.fork, posix.forkpty),
        *(gevent.os.fork_gevent, gevent.os.forkpty_gevent),
        *(gevent.os.fork_and_watch, gevent.os.forkpty_and_watch),
    ],
)
def test_no_fork(fork: Callable[[], object]) -> None:
    """A fork is refused in every thread, with a message that says what to do instead."""
    for run in (fork, lambda: run_native(fork)):
        with pytest.raises(NotAllowedHere, match="with subprocess instead"):
            run()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_no_multiprocessing(method: str, tmp_path: Path) -> None:
    """Processes, pools, executors and managers are refused before anything has started."""
    context: Any = multiprocessing.get_context(method)
    ran = tmp_path / "ran"

    def executor() -> None:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            pool.submit(ran.touch).result()

    for begin in (
        context.Process(target=ran.touch).start,
        lambda: context.Pool(1),
        context.Manager,
        executor,
    ):
        for run in (begin, lambda begin=begin: run_native(begin)):
            with pytest.raises(NotAllowedHere, match="cpu_bound = True"):
                run()
    assert not ran.exists()


def test_a_pool_of_threads_is_allowed() -> None:
    """ThreadPool works, although its class is a subclass of the pool of processes."""
    with ThreadPool(2) as pool:
        assert pool.map(str, [1, 2]) == ["1", "2"]
        pool.close()
        pool.join()


def test_asyncio_is_for_other_threads(recwarn: pytest.WarningsRecorder) -> None:
    """asyncio is refused in the loop's thread before a coroutine has run, and works elsewhere."""
    ran: list[str] = []

    async def main(where: str) -> str:
        await asyncio.sleep(0.01)
        ran.append(where)
        return where

    loop = asyncio.new_event_loop()
    runner = asyncio.Runner()
    for attempt in (
        lambda: asyncio.run(main("run")),
        lambda: asyncio.run(main=main("named")),
        lambda: runner.run(main("runner")),
        runner.__enter__,
        runner.get_loop,
        lambda: loop.run_until_complete(main("loop")),
        loop.run_forever,
    ):
        with pytest.raises(NotAllowedHere, match="cpu_bound = True"):
            gevent.spawn(attempt).get()
    loop.close()
    assert ran == []
    assert run_native(lambda: asyncio.run(main("a")), lambda: asyncio.run(main("b"))) == ["a", "b"]
    assert not recwarn.list


def test_two_threads_use_asyncio_at_once() -> None:
    """asyncio's programs, threads and executors work on several native threads at once."""

    async def program(status: int) -> tuple[bytes, int | None, int]:
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", f"echo {status}; exit {status}", stdout=subprocess.PIPE
        )
        output, _ = await process.communicate()
        code = await asyncio.to_thread(subprocess.call, ["sh", "-c", f"exit {status}"])
        return output, process.returncode, code

    async def several(first: int) -> list[tuple[bytes, int | None, int]]:
        return await asyncio.gather(*(program(first + n) for n in range(3)))

    results = run_native(lambda: asyncio.run(several(1)), lambda: asyncio.run(several(5)))
    assert results == [[(b"%d\n" % n, n, n) for n in range(first, first + 3)] for first in (1, 5)]
