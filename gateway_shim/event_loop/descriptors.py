"""File descriptors that no watcher of the event loop uses."""

from __future__ import annotations

from gevent.monkey import get_original

__all__ = ["close_now"]

# gevent's os.close closes the descriptor, and so releases its lock, in the loop's next round only.
close_now = get_original("os", "close")
"""Closes a descriptor at once. No watcher of the event loop may use the descriptor."""
