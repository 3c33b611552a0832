"""Tests of :mod:`app.access`."""
