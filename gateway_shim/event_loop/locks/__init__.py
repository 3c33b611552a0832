"""Locks that native threads and the event loop can share."""
