"""Tests of :mod:`app.schemas`."""
