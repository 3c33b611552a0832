"""Tests of :mod:`app.program`."""
