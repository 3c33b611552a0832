"""Tests of :mod:`app.services`."""
