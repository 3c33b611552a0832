"""Tests of :mod:`app.watch`."""
