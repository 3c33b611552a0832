"""Tests of :mod:`app.bench.sections`."""
