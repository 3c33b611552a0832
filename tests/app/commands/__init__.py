"""Tests of :mod:`app.commands`."""
