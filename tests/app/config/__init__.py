"""Tests of :mod:`app.config`."""
