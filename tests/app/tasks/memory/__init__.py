"""Tests of :mod:`app.tasks.memory`."""
