"""Tests of :mod:`app.tasks.run`."""
