"""Prepares a serving process, so that tasks may use native threads and child processes.

Import this module after gevent has patched the process, so that its own imports are patched.
"""

from __future__ import annotations

import sys

from gateway_shim.event_loop.forbidden_calls import refuse_asyncio, refuse_copies
from gateway_shim.event_loop.native_children import share_children

__all__ = ["prepare_serving_process"]

_SWITCH_SECONDS = 0.0001
"""The switch interval: the time for which a native thread keeps the GIL while the hub waits.

Every ``send`` releases the GIL, so while another thread computes in Python, each send of a
broadcast can take this long. With such a thread running for two seconds, the last of 50 streams got
23 to 48 events of another task at Python's default of 5 ms, and all 977 at 0.1 ms (three runs each
of tests/live/processes/test_event_loop.py on two cores).
"""


def prepare_serving_process() -> None:
    """Allow child processes in native threads, and refuse calls that block or copy the process.

    Must be called in the event loop's thread, after
    :func:`~gateway_shim.event_loop.child_watcher.use_child_watchers` and gevent's patching.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    share_children()
    refuse_copies()
    refuse_asyncio()
