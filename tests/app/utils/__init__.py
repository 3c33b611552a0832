"""Tests of :mod:`app.utils`."""
