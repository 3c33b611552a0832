"""Tests of :mod:`app.bench.results`."""
