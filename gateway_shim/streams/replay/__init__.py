"""Streams as cursors into the log: delivery, catching up, and joining the live streams."""
