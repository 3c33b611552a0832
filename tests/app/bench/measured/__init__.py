"""Tests of :mod:`app.bench.measured`."""
