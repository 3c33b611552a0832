"""Tasks that share objects between native threads and the event loop.

The module does not import gevent. ``SharingTask`` runs on a native thread, and
``GreenSharingTask`` runs in a greenlet of the event loop. Both use the same objects.
"""

from __future__ import annotations

import importlib
import logging
import queue
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import requests
from prometheus_client import CollectorRegistry, Counter, generate_latest
from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle

LIMIT = 20.0
"""The limit of every wait, in seconds."""


class Counted(BaseModel):
    """The counts of a task, by name."""

    counts: dict[str, int]


class CountingHandler(logging.Handler):
    """A handler that counts its lines. Only the lock of the handler protects the count."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count a line. A line is lost if another thread counts at the same time."""
        before = self.lines
        record.getMessage()
        self.lines = before + 1


logger = logging.getLogger(__name__)
HANDLER = CountingHandler()
logger.addHandler(HANDLER)

REGISTRY = CollectorRegistry()
ROUNDS = Counter("sharing_rounds", "Rounds of all tasks.", ["kind"], registry=REGISTRY)
LOCK = threading.RLock()
SLOTS = threading.BoundedSemaphore(2)
EXECUTOR = ThreadPoolExecutor(2)
SESSION = requests.Session()
SESSION.trust_env = False
LOCAL = threading.local()

JOBS: queue.Queue[int] = queue.Queue(4)
ANSWERS: queue.SimpleQueue[int] = queue.SimpleQueue()
TURN = threading.Condition()
PING, PONG = threading.Event(), threading.Event()
turn = ["native"]
total = [0]


class SharingTask(BaseTask):
    """A task that uses all shared objects, as fast as possible."""

    cpu_bound = True

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Counted:
        """Work for ``seconds`` seconds. ``url`` must answer with 200."""
        until = time.monotonic() + float(str(kwargs["seconds"]))
        LOCAL.mine = self
        counts = dict.fromkeys(("rounds", "lines", "requests", "futures", "locals"), 0)
        while time.monotonic() < until:
            number = counts["rounds"]
            logger.debug("round %d", number)
            if number % 50 == 0:
                logger.info("round %d", number)
                counts["lines"] += 1
                progress_handle.send_progress("works", 0.5)
            logging.getLogger(f"{__name__}.{number % 500}.{number}")
            with suppress(ModuleNotFoundError):  # the search for a module takes the import lock
                importlib.import_module(f"no_such_module_{number % 3}")
            ROUNDS.labels(str(number % 4)).inc()
            with SLOTS, LOCK, LOCK:
                before = total[0]
                generate_latest(REGISTRY)
                total[0] = before + 1
            counts["locals"] += LOCAL.mine is self
            if number % 10 == 0:
                counts["futures"] += EXECUTOR.submit(abs, -1).result(LIMIT)
            if number % 20 == 0:
                counts["requests"] += SESSION.get(str(kwargs["url"]), timeout=LIMIT).ok
            counts["rounds"] += 1
            time.sleep(0)
        return Counted(counts=counts)


class GreenSharingTask(SharingTask):
    """The same task on the event loop."""

    cpu_bound = False


class AskingTask(BaseTask):
    """A task that exchanges signals with ``AnsweringTask``, with each kind of primitive."""

    cpu_bound = True

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Counted:
        """Exchange signals for ``seconds`` seconds, then stop the other task."""
        until = time.monotonic() + float(str(kwargs["seconds"]))
        exchanges = 0
        while time.monotonic() < until:
            exchanges += 1
            JOBS.put(exchanges, timeout=LIMIT)
            if ANSWERS.get(timeout=LIMIT) != exchanges:
                raise RuntimeError("the answer has another number")
            take_turn("native", "green")
            PING.set()
            if not PONG.wait(LIMIT):
                raise RuntimeError("the event did not come")
            PONG.clear()
        JOBS.put(-1, timeout=LIMIT)
        return Counted(counts={"exchanges": exchanges})


class AnsweringTask(BaseTask):
    """A task that answers the signals of ``AskingTask``."""

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Counted:
        """Answer until the other task sends -1."""
        exchanges = 0
        while (number := JOBS.get(timeout=LIMIT)) != -1:
            future: Future[int] = Future()
            EXECUTOR.submit(future.set_result, number)
            ANSWERS.put(future.result(LIMIT))
            take_turn("green", "native")
            if not PING.wait(LIMIT):
                raise RuntimeError("the event did not come")
            PING.clear()
            PONG.set()
            exchanges += 1
        return Counted(counts={"exchanges": exchanges})


def take_turn(me: str, other: str) -> None:
    """Wait for the turn, and pass it to the other task."""
    with TURN:
        if not TURN.wait_for(lambda: turn[0] == me, LIMIT):
            raise RuntimeError("the turn did not come")
        turn[0] = other
        TURN.notify_all()


class SumTask(BaseTask):
    """A task that returns the counts of the shared objects."""

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: object) -> Counted:
        """Read the counts."""
        values = [REGISTRY.get_sample_value("sharing_rounds_total", {"kind": k}) for k in "0123"]
        counted = int(sum(value or 0 for value in values))
        return Counted(counts={"locked": total[0], "counted": counted, "lines": HANDLER.lines})
