"""Tests of :mod:`app.tasks.servers`."""
