"""Tests of :mod:`app.config.reading`."""
