"""Sets up, once after the patching, what code of a serving process may do in which thread.

Import it after gevent has patched the process: what it imports then uses the patched modules.
"""

from __future__ import annotations

from gateway_shim.native_children import share_children
from gateway_shim.refusals import refuse_asyncio, refuse_copies

__all__ = ["prepare_serving_process"]


def prepare_serving_process() -> None:
    """Let native threads have child processes, and refuse what would stop or copy the process.

    Call it in the event loop's thread, after
    :func:`~gateway_shim.child_watcher.use_child_watchers` and gevent's patching.
    """
    share_children()
    refuse_copies()
    refuse_asyncio()
