"""Tests of :mod:`app.tasks.builtin`."""
