"""Tests of :mod:`app`."""
