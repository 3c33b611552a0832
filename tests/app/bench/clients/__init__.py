"""Tests of :mod:`app.bench.clients`."""
