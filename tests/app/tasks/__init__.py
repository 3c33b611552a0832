"""Tests of :mod:`app.tasks`."""
