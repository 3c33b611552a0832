"""Tests of :mod:`app.services.remote_gateway`."""
