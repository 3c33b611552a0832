"""Tests of :mod:`app.bench`."""
