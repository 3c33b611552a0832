"""Tests of :mod:`app.services.event_loop`."""
