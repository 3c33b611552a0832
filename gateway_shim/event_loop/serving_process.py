"""Sets up, once after the patching, what code of a serving process may do in which thread.

Import it after gevent has patched the process: what it imports then uses the patched modules.
"""

from __future__ import annotations

import sys

from gateway_shim.event_loop.forbidden_calls import refuse_asyncio, refuse_copies
from gateway_shim.event_loop.native_children import share_children

__all__ = ["prepare_serving_process"]

_SWITCH_SECONDS = 0.0001
"""How long a native thread may keep the interpreter while the hub wants it.

Every ``send`` lets go of the interpreter, so beside a thread that computes in Python each send of
a broadcast can cost this much. While such a thread had a processor for two seconds, the last of 50
streams got 23 to 48 of another task's events at Python's 5 ms, and all 977 at 0.1 ms (three runs
each of tests/live/processes/test_event_loop.py on two cores).
"""


def prepare_serving_process() -> None:
    """Let native threads have child processes, and refuse what would stop or copy the process.

    Call it in the event loop's thread, after
    :func:`~gateway_shim.event_loop.child_watcher.use_child_watchers` and gevent's patching.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    share_children()
    refuse_copies()
    refuse_asyncio()
