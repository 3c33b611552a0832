"""Tests of :mod:`app.config.settings`."""
