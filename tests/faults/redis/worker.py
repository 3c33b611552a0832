"""One process of a server: appends numbers, and tells what it reads.

Run as a program: ``python -m ... DIRECTORY URL PREFIX WRITER``. It prints ``appended NUMBER`` after
each append, and ``read EPOCH POSITION NUMBER`` for each entry, until it is killed.
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402

from gateway_shim.event_log.audience import EVERYONE  # noqa: E402
from gateway_shim.event_log.brokers.redis.url import RedisURL  # noqa: E402
from gateway_shim.event_log.brokers.redis_log import BusOptions, RedisLog  # noqa: E402
from gateway_shim.event_log.limits import LogLimits  # noqa: E402
from tests.gateway_shim.event_log.brokers.sites import number_of  # noqa: E402
from tests.support.timing import TIME_LIMIT  # noqa: E402

__all__: list[str] = []


def _read(log: RedisLog) -> None:
    epoch, position = log.epoch, log.newest
    while True:
        entries = log.read(position, 1000)
        if entries is None or log.epoch != epoch:
            print("lost", flush=True)
            return
        for entry in entries:
            position = entry.position
            print(f"read {epoch} {position} {number_of(entry.frame)}", flush=True)
        log.completed(position)
        gevent.sleep(0.001)


def _main(directory: str, url: str, prefix: str, writer: str) -> None:
    options = BusOptions(RedisURL.parse(url), prefix, append_seconds=TIME_LIMIT)
    log = RedisLog(Path(directory), LogLimits(), "named", options)
    assert log.wait_until_current(TIME_LIMIT)
    gevent.spawn(_read, log)
    number = int(writer) * 1_000_000
    while True:
        log.append(EVERYONE, b"data: %d\n\n" % number)
        print(f"appended {number}", flush=True)
        number += 1
        gevent.sleep(0.002)


if __name__ == "__main__":
    _main(*sys.argv[1:])
