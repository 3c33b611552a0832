"""One server in the process of the test: carriers that can be halted, and a reader of their log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event as Signal

from gateway_shim.event_log.brokers.carried_log import CarriedLog
from gateway_shim.event_log.brokers.carrier import Carrier
from gateway_shim.event_log.brokers.redis.client import RedisClient
from gateway_shim.event_log.brokers.redis.keys import Keys
from gateway_shim.event_log.brokers.redis.stream import RedisStream, pack
from gateway_shim.event_log.brokers.redis.url import RedisURL
from gateway_shim.event_log.limits import LogLimits
from tests.gateway_shim.event_log.brokers.sites import number_of
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import TIME_LIMIT, wait_until

__all__ = ["OneProcess", "OneServer", "Shared"]


class Shared:
    """The files and the stream that the processes of one server share.

    Args:
        server: the Redis.
        prefix: the prefix of the keys.
        directory: the directory of the copy.
    """

    def __init__(self, server: RedisServer, prefix: str, directory: Path) -> None:
        self.server, self.keys, self.directory = server, Keys(prefix), directory
        self.stream = self.connect()
        self.epoch = self.stream.begin("", "")
        self.newest = 0

    def connect(self) -> RedisStream:
        """Return a connection to the stream."""
        url = RedisURL.parse(self.server.url)
        return RedisStream(RedisClient(url, TIME_LIMIT), self.keys, "s")

    def append(self, count: int) -> None:
        """Append events in Redis, as another server does it. Their numbers are their positions."""
        numbers = range(self.newest + 1, self.newest + count + 1)
        packed = [pack("*", b"data: %d\n\n" % number) for number in numbers]
        self.newest += count
        self.stream.append(self.epoch, 0, "another", self.newest, (10_000, 10**7), packed)

    def head(self) -> int:
        """Return the number of the head's file, which changes when a copy is begun."""
        return (self.directory / "head").stat().st_ino

    def epoch_in_use(self) -> str:
        """Return the epoch that is in use in Redis."""
        return self.stream.look("", 0).epoch


class OneProcess:
    """The carrier of one process of the server, which can be halted at a step.

    Args:
        shared: what it shares with the others.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.log = CarriedLog(shared.directory, LogLimits(), signature="s")
        self.carrier = Carrier(
            shared.connect(), self.log, shared.directory, "here", "s", lambda: not self.has_all
        )
        self.is_halted, self._go_on = Signal(), Signal()
        self._greenlet: gevent.Greenlet | None = None

    @property
    def has_all(self) -> bool:
        """True if the log has all that is in Redis."""
        self.log.read(self.log.newest, 0)
        return (self.log.epoch, self.log.newest) == (self._shared.epoch, self._shared.newest)

    def start(self) -> None:
        """Copy, or wait for the lock."""
        self._greenlet = gevent.spawn(self.carrier.run)

    def until_has_all(self) -> None:
        """Wait until all is here."""
        wait_until(
            lambda: gevent.sleep(0) or self.has_all,
            lambda: f"{self._shared.newest}: {self.log.epoch} {self.log.newest}",
        )

    def wrap(self, part: str, method: str, wrapper: Callable[[Callable[..., Any]], Any]) -> None:
        """Put a function around a step."""
        owner = getattr(self.carrier, part)
        setattr(owner, method, wrapper(getattr(owner, method)))

    def halt_at(self, part: str, method: str, *, before: bool) -> None:
        """Halt at the next one of these steps, as a stopped process does."""

        def wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
            def halting(*arguments: Any) -> Any:
                if before:
                    self._halt()
                result = original(*arguments)
                if not before:
                    self._halt()
                return result

            return halting

        self.wrap(part, method, wrapper)

    def go_on(self) -> None:
        """Go on after a halt."""
        self._go_on.set()

    def end(self) -> None:
        """End as a killed process does."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None
        self.carrier.close()
        self.log.close()

    def _halt(self) -> None:
        self.is_halted.set()
        assert self._go_on.wait(TIME_LIMIT)


class OneServer:
    """The processes of a server, and a reader of its log, as a stream is one.

    Args:
        shared: what the processes share.

    Attributes:
        resyncs: how often the reader was told that it has missed something.
        read: the positions and the numbers of the events that it has read.
    """

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._processes: list[OneProcess] = []
        self._log = CarriedLog(shared.directory, LogLimits(), signature="s")
        self._reader = gevent.spawn(self._read)
        self.resyncs = 0
        self.read: list[tuple[int, int]] = []

    def process(self) -> OneProcess:
        """Make another process. It does not copy yet."""
        self._processes.append(OneProcess(self.shared))
        return self._processes[-1]

    def until_read(self) -> None:
        """Wait until the reader has the newest event of Redis."""
        newest = self.shared.newest
        wait_until(
            lambda: gevent.sleep(0) or (newest, newest) in self.read,
            lambda: f"{newest}: {self.read}",
        )

    def end(self) -> None:
        """End all."""
        self._reader.kill()
        for process in self._processes:
            process.end()
        self._log.close()
        self.shared.stream.close()

    def _read(self) -> None:
        position = self._log.newest
        while True:
            entries = self._log.read(position, 1000)
            if entries is None:
                self.resyncs += 1
                position = self._log.oldest - 1
                continue
            for entry in entries:
                position = entry.position
                if entry.audience is not None:
                    self.read.append((position, number_of(entry.frame)))
            gevent.sleep(0)
