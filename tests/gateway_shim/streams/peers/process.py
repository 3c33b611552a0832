"""A process that shares the log of a test, and answers its questions.

Run as a program: ``python -m ... DIRECTORY``. It writes its name once it reads the log.
"""

from __future__ import annotations

# ruff: noqa: E402 - patching comes first
from gevent import monkey

monkey.patch_all()

import sys
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event as Signal

from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segments.segment_log import SegmentLog
from tests.gateway_shim.running_gateway import RunningGateway

__all__ = ["LIMITS", "open_log"]

LIMITS = LogLimits(1 << 20)


def open_log(directory: Path) -> SegmentLog:
    """Open the log that all processes of a test share."""
    return SegmentLog(directory / "log", LIMITS, signature="named")


def _main(directory: Path) -> None:
    with RunningGateway(open_log=lambda: open_log(directory)) as running:
        peers = running.gateway.peers
        heard: list[tuple[str, Any]] = []

        def wait(_: Any) -> None:
            peers.tell("waits", None)
            Signal().wait()

        def tell(count: int) -> None:
            for number in range(count):
                peers.tell("number", number)
                gevent.sleep(0)

        peers.when_told("number", lambda sender, number: heard.append((sender, number)))
        peers.when_asked("heard", lambda _: heard)
        peers.when_asked("wait", wait)
        peers.when_asked("tell", lambda count: [gevent.spawn(tell, count)][1:])
        peers.when_asked("repeat", lambda text: text[0] * text[1])
        print(peers.process, flush=True)
        Signal().wait()


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
